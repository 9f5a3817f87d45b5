//! A sudo rule that allows an account to run what the tool runs as root, and no other command.
//!
//! It does not stop the account from becoming root: the command is a root shell that takes scripts on its standard input. A rule that
//! allowed less would still be root: the tool installs packages and units of systemd, writes files anywhere, and applies objects in a
//! cluster that runs as root.

use std::collections::BTreeSet;

use super::connection::LOOP;
use crate::resource::syntax_check::login;

/// What is at the top of the file: what the rule does and what it does not.
const HEAD: &str = "\
# Lets these accounts run what akidb-edge runs as root on a device, and no other command. To install it as root on each device:
#   visudo -cf FILE && install -m 0440 -o root -g root FILE /etc/sudoers.d/akidb-edge
# and take away what allows the accounts more (`sudo -l -U NAME` lists it; JetPack puts the first user into the group sudo).
#
# It does not limit what akidb-edge can do: the command is a root shell that takes its scripts from standard input. Whoever logs in as
# one of these accounts can become root with it. It refuses sudo for anything else (a mistake at the keyboard, a program that calls
# sudo), and sudo logs each use. Another version of akidb-edge may need another rule: print it again after an update.
#
# With a password (akidb-edge --ask-sudo-password): take NOPASSWD: out.
# To record all that is sent, for root to replay (sudoreplay): the next line without its #. Contents of files are recorded with it,
# secrets too, in /var/log/sudo-io; images make it large.
#Defaults!AKIDB_EDGE log_input
";

/// The file for these accounts.
///
/// # Errors
/// The first name that means something else there than an account of that name.
pub fn sudoers(accounts: &BTreeSet<String>) -> Result<String, &str> {
    if let Some(other) = accounts.iter().find(|name| !is_account(name)) {
        return Err(other);
    }
    let names: Vec<String> = accounts.iter().map(|name| argument(name)).collect();
    Ok(format!(
        "{HEAD}Cmnd_Alias AKIDB_EDGE = /bin/sh -c {}\n{} ALL = (root) NOPASSWD: AKIDB_EDGE\n",
        argument(LOOP),
        names.join(", ")
    ))
}

/// `ALL` is everybody, and a name of capital letters is an alias (sudoers(5), "Aliases": `[A-Z]([A-Z][0-9]_)*`); `%`, `+`, `#` and `!`
/// begin groups, netgroups, numbers and what is left out.
fn is_account(name: &str) -> bool {
    let is_alias = name.starts_with(|letter: char| letter.is_ascii_uppercase())
        && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_');
    login(name) && !is_alias
}

/// Arguments as sudoers takes them: patterns, in one line. The end of a line can only be written as any letter.
fn argument(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\n' => out.push('?'),
            ',' | ':' | '=' | '\\' | '*' | '?' | '[' | ']' | '#' => out.extend(['\\', letter]),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_means_others_gets_no_rule() {
        let of = |name: &str| sudoers(&["edge".to_owned(), name.to_owned()].into()).map_err(str::to_owned);
        for other in ["ALL", "ADMINS", "A_1", "%sudo", "+net", "#0", "!edge", "a b", "a\nb", ""] {
            assert_eq!(of(other), Err(other.to_owned()));
        }
        for account in ["Edge", "edge-01", "ann@example.com", "_a"] {
            assert!(of(account).is_ok(), "{account}");
        }
    }

    #[test]
    fn a_rule_is_one_line_and_holds_the_loop_to_the_letter() {
        let text = sudoers(&["edge".to_owned(), "nvidia".to_owned()].into()).expect("accounts");
        let rules: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(rules.len(), 2, "{text}");
        assert_eq!(rules[1], "edge, nvidia ALL = (root) NOPASSWD: AKIDB_EDGE");
        let written = rules[0].strip_prefix("Cmnd_Alias AKIDB_EDGE = /bin/sh -c ").expect("the command");
        let mut read = String::new();
        let mut letters = written.chars();
        while let Some(letter) = letters.next() {
            read.push(match letter {
                '\\' => letters.next().expect("an escaped letter"),
                '?' => '\n',
                other => other,
            });
        }
        assert_eq!(read, LOOP);
    }
}
