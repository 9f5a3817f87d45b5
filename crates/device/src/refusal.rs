//! Why a login or sudo was refused, by what OpenSSH, the device and sudo said: each cause by its name, with what helps.

use super::script::last_words;
use crate::resource::{Fault, FaultClass};

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginRefusal {
    /// Stable name.
    pub code: &'static str,
    /// The device may be there again without a change: it is left out and the others go on, as one that is away.
    pub passes: bool,
    /// What is wrong.
    pub what: &'static str,
    /// What helps.
    pub next: &'static str,
}

/// Words, all of which are said (in any case of letters), and what they mean. The first that fits counts.
type Row = (&'static [&'static str], LoginRefusal);

const fn stays(code: &'static str, what: &'static str, next: &'static str) -> LoginRefusal {
    LoginRefusal { code, passes: false, what, next }
}

const fn passes(code: &'static str, what: &'static str, next: &'static str) -> LoginRefusal {
    LoginRefusal { code, passes: true, what, next }
}

/// What the user's own client says, then what a device says. Sources: OpenSSH 8.9 to 10 (readconf.c, ssh.c, mux.c), Linux-PAM
/// (pam_unix, pam_nologin), shadow's nologin.
const LOGIN: &[Row] = &[
    (
        &["bad configuration option"],
        stays(
            "BadConfig",
            "the SSH configuration of this machine has an invalid line",
            "correct that line; ssh -G HOST parses the configuration without connecting",
        ),
    ),
    (
        &["bad owner or permissions on"],
        stays(
            "BadConfig",
            "the SSH configuration of this machine is writable by others, so it is not read",
            "chmod 600 ~/.ssh/config",
        ),
    ),
    (
        &["cannot execute command-line and remote command"],
        stays(
            "RemoteCommand",
            "the SSH configuration of this machine has a RemoteCommand for this host",
            "remove it for this host, or use another configuration with --ssh-config",
        ),
    ),
    (
        &["could not request local forwarding"],
        stays(
            "Forwarding",
            "a forwarding in the SSH configuration of this machine failed (ExitOnForwardFailure)",
            "remove the forwarding for this host, or use another configuration with --ssh-config",
        ),
    ),
    (
        &["too long for unix domain socket"],
        stays(
            "SocketPath",
            "the socket path for persistent connections is too long",
            "set XDG_RUNTIME_DIR to a short directory of yours, or add --keep-connections 0",
        ),
    ),
    (
        &["unprotected private key file"],
        stays(
            "KeyFile",
            "a private key on this machine is readable by others, so it is not used",
            "run chmod 600 on that file",
        ),
    ),
    (
        &["password has expired"],
        stays(
            "PasswordExpired",
            "the user's password on the device has expired",
            "set a new one: log in there manually (ssh -t), or as root: chage -M -1 USER",
        ),
    ),
    (
        &["password change required"],
        stays(
            "PasswordExpired",
            "the user's password on the device has to be changed first",
            "set a new one: log in there manually (ssh -t), or as root: chage -M -1 USER",
        ),
    ),
    (
        &["account has expired"],
        stays("AccountExpired", "the user's account on the device has expired", "as root there: chage -E -1 USER"),
    ),
    (
        &["this account is currently not available"],
        stays(
            "NoShell",
            "the user has no login shell on the device (nologin)",
            "give the user one there (usermod --shell /bin/bash USER), or name another user in the plan",
        ),
    ),
    (
        &["unprivileged users are not permitted to log in"],
        passes(
            "NoLogin",
            "the device is starting or shutting down, and only root can log in (/run/nologin)",
            "run the same command again in a minute; if this persists, check /run/nologin and systemctl list-jobs \
             there",
        ),
    ),
    (
        &["system is going down"],
        passes(
            "NoLogin",
            "the device is shutting down, and only root can log in (/run/nologin)",
            "run the same command again once it is back",
        ),
    ),
    (
        &["allows sftp connections only"],
        stays(
            "ForcedCommand",
            "the device allows this user only file transfers (ForceCommand)",
            "name another user in the plan, or change the Match block in /etc/ssh/sshd_config there",
        ),
    ),
    (
        &["too many authentication failures"],
        stays(
            "LoginRefused",
            "the SSH agent offered more keys than the device accepts",
            "select the key in ~/.ssh/config: IdentityFile and IdentitiesOnly yes for this host",
        ),
    ),
    (
        &["permission denied"],
        stays(
            "LoginRefused",
            "the device accepts none of the offered keys",
            "add your key to the agent (ssh-add) and to the device (ssh-copy-id), or set it in ~/.ssh/config; check \
             the user name",
        ),
    ),
    (
        &["no matching host key type"],
        stays(
            "TooOld",
            "the SSH server of the device is too old or too new for this client",
            "update OpenSSH there, or allow the type for this host in ~/.ssh/config (HostKeyAlgorithms)",
        ),
    ),
    (
        &["could not resolve hostname"],
        passes(
            "Unreachable",
            "the name of the device cannot be resolved",
            "check the spelling; use its IP address, or a Host of ~/.ssh/config",
        ),
    ),
    (
        &["connection refused"],
        passes(
            "Unreachable",
            "a host is at that address, but no SSH server listens on that port",
            "check the port, and that sshd runs there (systemctl status ssh). The other devices continue; run the \
             same command again later",
        ),
    ),
];

/// The cause of what was said; none when nothing known was said.
pub fn login(said: &str) -> Option<&'static LoginRefusal> {
    find(LOGIN, said)
}

/// The fault of a cause: `at` is the device, `last` what was said last.
pub fn fault(cause: &LoginRefusal, at: &str, last: &str) -> Fault {
    let class = if cause.passes { FaultClass::Away } else { FaultClass::Refused };
    Fault::new(class, "ssh", "connect", cause.code, format!("{at}: {}: {last}", cause.what)).next(cause.next)
}

/// The device ended the session well and never ran what it was asked for.
pub fn another_command(name: &str, printed: &str) -> Fault {
    let words =
        format!("{name}: the device ran a different command than requested, which printed: {}", last_words(printed, 1));
    Fault::new(FaultClass::Refused, "ssh", "connect", "ForcedCommand", words).next(
        "check ForceCommand in /etc/ssh/sshd_config, command= in the user's authorized_keys and exec in its shell's \
         start-up files there; or name another user in the plan",
    )
}

/// The login went well, and the user's shell there ended before it ran anything. It may say why in any language.
pub fn ended(name: &str, status: i32, said: &str) -> Fault {
    let said = last_words(said, 2);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let words =
        format!("{name}: the login succeeded, but the user's shell on the device ended with status {status}{said}");
    Fault::new(FaultClass::Refused, "ssh", "connect", "ShellEnded", words).next(
        "check the user's login shell there (getent passwd USER; nologin lets nobody in), its start-up files, and ForceCommand in \
         /etc/ssh/sshd_config there; or name another user in the plan",
    )
}

fn find(rows: &'static [Row], said: &str) -> Option<&'static LoginRefusal> {
    let said = said.to_lowercase();
    rows.iter().find(|(words, _)| words.iter().all(|word| said.contains(word))).map(|(_, cause)| cause)
}

/// Why sudo cannot run at all.
const NOT_INSTALLED: &str = "sudo is not installed on the device";

/// What sudo says, in English: `LC_ALL=C` is set for it. Source: sudo 1.9 (plugins/sudoers, src/).
const SUDO: &[Row] = &[
    (
        &["must have a tty"],
        stays(
            "",
            "sudo requires a terminal there (requiretty)",
            "disable requiretty for the user: echo 'Defaults:USER !requiretty' in a file of /etc/sudoers.d, by visudo",
        ),
    ),
    (
        &["not in the sudoers file"],
        stays(
            "",
            "the user may not use sudo there",
            "as root there: usermod -aG sudo USER, or install what akidb-edge jetson sudoers prints",
        ),
    ),
    (
        &["may not run sudo"],
        stays(
            "",
            "the user may not use sudo there",
            "as root there: usermod -aG sudo USER, or install what akidb-edge jetson sudoers prints",
        ),
    ),
    (
        &["is not allowed to"],
        stays(
            "",
            "sudoers does not allow the user the tool's command",
            "install what akidb-edge jetson sudoers prints: it changes with an update of the tool",
        ),
    ),
    (
        &["password is expired"],
        stays(
            "",
            "the user's password there has expired, so sudo does not accept it",
            "set a new one: log in there manually (ssh -t), or as root: chage -M -1 USER",
        ),
    ),
    (
        &["password is required"],
        stays(
            "",
            "sudo requires a password",
            "add --ask-sudo-password, or --sudo-password-fd N; or allow the user sudo without a password. After an \
             update of the tool, install what akidb-edge jetson sudoers prints again",
        ),
    ),
    (
        &["sudo password is wrong"],
        stays(
            "",
            "the sudo password is wrong",
            "enter the user's password on that device; with --sudo-password-fd, check what is written to it",
        ),
    ),
    (
        &["incorrect password attempt"],
        stays(
            "",
            "the sudo password is wrong",
            "enter the user's password on that device; with --sudo-password-fd, check what is written to it",
        ),
    ),
    (
        &["no new privileges"],
        stays(
            "",
            "the user's session there may not become root (no new privileges)",
            "check NoNewPrivileges of the unit that runs sshd there",
        ),
    ),
    (
        &["sudo", "no such file"],
        stays("", NOT_INSTALLED, "install it there (apt-get install sudo), or log in as root in the plan"),
    ),
];

/// Whether the text comes from sudo, or from a failed attempt to start it.
pub fn of_sudo(said: &str) -> bool {
    said.contains("sudo:")
        || said.contains("sudoers")
        || find(SUDO, said).is_some_and(|cause| cause.what == NOT_INSTALLED)
}

/// Why sudo refused, and what helps; its own last words when the cause is not known.
pub fn sudo(said: &str) -> (String, &'static str) {
    match find(SUDO, said) {
        Some(cause) => (cause.what.to_owned(), cause.next),
        None => (last_words(said, 3), "look at it on the device (sudo -l), then run the same command again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refused_login_is_named_by_its_cause() {
        for (said, code) in [
            (
                "/home/me/.ssh/config: line 3: Bad configuration option: hostnmae\r\n/home/me/.ssh/config: terminating, 1 bad configuration options",
                "BadConfig",
            ),
            ("Bad owner or permissions on /home/me/.ssh/config", "BadConfig"),
            ("Cannot execute command-line and remote command.", "RemoteCommand"),
            (
                "bind [127.0.0.1]:8080: Address already in use\r\nchannel_setup_fwd_listener_tcpip: cannot listen to port: 8080\r\nCould not request local forwarding.",
                "Forwarding",
            ),
            ("unix_listener: path \"/home/a-very-long-name/x\" too long for Unix domain socket", "SocketPath"),
            (
                "WARNING: Your password has expired.\r\nPassword change required but no TTY available.",
                "PasswordExpired",
            ),
            ("Your account has expired; please contact your system administrator.", "AccountExpired"),
            ("This account is currently not available.", "NoShell"),
            (
                "\"System is booting up. Unprivileged users are not permitted to log in yet. Please come back later.\"\r\nConnection closed by 10.0.0.1 port 22",
                "NoLogin",
            ),
            ("This service allows sftp connections only.", "ForcedCommand"),
            ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures", "LoginRefused"),
            ("edge@10.0.0.1: Permission denied (publickey).", "LoginRefused"),
            ("ssh: Could not resolve hostname jetson-01: Name or service not known", "Unreachable"),
            ("ssh: connect to host 10.0.0.1 port 22: Connection refused", "Unreachable"),
        ] {
            let cause = login(said).unwrap_or_else(|| panic!("{said}"));
            assert_eq!(cause.code, code, "{said}");
            assert!(!cause.next.contains("powered on"), "{said}");
        }
        assert_eq!(login("Connection timed out"), None);
        assert!(login("Unprivileged users are not permitted to log in yet").is_some_and(|cause| cause.passes));
    }

    #[test]
    fn each_refusal_of_sudo_is_named_by_its_cause() {
        for (said, words, helps) in [
            ("sudo: sorry, you must have a tty to run sudo", "terminal", "requiretty"),
            ("edge is not in the sudoers file.", "may not use sudo", "usermod"),
            ("Sorry, user edge may not run sudo on jetson-01.", "may not use sudo", "usermod"),
            (
                "Sorry, user edge is not allowed to execute '/bin/sh -c PATH' as root on jetson-01.",
                "does not allow the user the tool's command",
                "jetson sudoers",
            ),
            ("sudo: Account or password is expired, reset your password and try again", "expired", "chage"),
            ("sudo: a password is required", "sudo requires a password", "--ask-sudo-password"),
            ("the sudo password is wrong", "the sudo password is wrong", "user's password"),
            ("sudo: 1 incorrect password attempt", "the sudo password is wrong", "user's password"),
            ("env: 'sudo': No such file or directory", "sudo is not installed", "apt-get install sudo"),
        ] {
            let (what, next) = sudo(said);
            assert!(what.contains(words) && next.contains(helps), "{said}: {what}; {next}");
        }
        assert!(of_sudo("env: ‘sudo’: No such file or directory") && !of_sudo("Connection closed"));
        assert_eq!(sudo("sudo: something new").0, "sudo: something new");
    }
}
