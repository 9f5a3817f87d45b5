//! `models pull`, from a hub that may fail in every way.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use testkit::cli::{self, finish};
use testkit::hub::{HubRequest, Once};
use testkit::model_user::{User, of};

const GRAPH: &str = "onnx/model.onnx";

#[test]
fn a_list_of_tokens_that_is_none_stays_out() {
    let user = User::new();
    user.hub.put("vocab.txt", b"uid=0(root) gid=0(root)\n");
    let run = user.run("pull tiny").exits(3);
    assert!(run.stderr.contains("vocab.txt does not match the tokens of"), "{}", run.stderr);
    assert!(!user.path("vocab.txt").exists());
}

#[test]
fn pulled_once_and_then_left_alone() {
    let user = User::new();
    let first = user.run("pull tiny").exits(0);
    insta::assert_snapshot!("pulled", user.redact(&first.stdout));
    let mut lines: Vec<_> = first.stderr.lines().collect();
    lines.sort_unstable();
    insta::assert_snapshot!("pulled_talk", lines.join("\n"));
    let requests = user.hub.take_requests();
    assert_eq!(requests.len(), 8, "the listing and seven files: {requests:#?}");
    for path in ["README.md", "pytorch_model.bin", "model_quantized.onnx"] {
        assert!(of(&requests, path).is_empty() && !user.path(path).exists(), "{path} is not needed");
    }
    assert_eq!(fs::read(user.path(GRAPH)).expect("the graph"), user.hub.file(GRAPH));
    assert!(!user.store().join(".work/tiny").exists(), "nothing is left of the work");

    let second = user.run("pull tiny").exits(0);
    insta::assert_snapshot!("pulled_again", user.redact(&second.all()));
    assert_eq!(user.hub.take_requests().len(), 1, "the listing alone");
    let commit = "1".repeat(40);
    user.run(&format!("pull tiny --revision {commit}")).exits(0);
    assert_eq!(user.hub.take_requests().len(), 0, "a commit does not change");

    insta::assert_snapshot!("listed", user.redact(&user.run("list").exits(0).stdout));
    let document = user.run("list --json").exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/models-list/v1");
    let model = &document["models"][0];
    assert_eq!(model["summary"], serde_json::json!({"dimension": 8, "max_tokens": 32, "variants": ["fp32"]}));
    assert_eq!(model["source"]["commit"], commit);
    assert_eq!((&model["state"], model["verified"].is_string()), (&"ready".into(), true));
}

#[test]
fn graphs_are_added_and_new_commits_bring_what_changed() {
    let user = User::new();
    user.run("pull tiny").exits(0);
    user.hub.take_requests();
    let document = user.run("pull tiny --variant int8 --json").exits(0).json();
    assert_eq!((&document["unchanged"], &document["fetched_bytes"]), (&false.into(), &70_000.into()));
    assert_eq!(user.hub.take_requests().len(), 2, "the listing and one graph");
    assert!(user.path(GRAPH).exists() && user.path("onnx/model_quantized.onnx").exists());

    user.hub.commit('2');
    user.hub.put("vocab.txt", b"[PAD]\n");
    let document = user.run("pull tiny --json").exits(0).json();
    assert_eq!((&document["source"]["commit"], &document["fetched_bytes"]), (&"2".repeat(40).into(), &6.into()));
    assert_eq!(fs::read(user.path("vocab.txt")).expect("a file"), b"[PAD]\n");
    assert!(user.path("onnx/model_quantized.onnx").exists(), "what was there stays");

    fs::write(user.path("vocab.txt"), "[BAD]\n").expect("a file");
    user.hub.take_requests();
    user.run("pull tiny").exits(0);
    assert_eq!(of(&user.hub.take_requests(), "vocab.txt").len(), 1, "what is wrong is fetched again");
    user.run("verify").exits(0);
}

#[test]
fn a_redirect_does_not_carry_the_token() {
    let user = User::new();
    user.hub.gate("hf_secret");
    user.hub.redirect();
    let run = user.run_with("pull tiny -vvv", "HF_TOKEN", "hf_secret").exits(0);
    assert!(!run.all().contains("hf_secret"), "{}", run.all());
    let requests = user.hub.take_requests();
    let (there, here): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.elsewhere);
    assert!(
        there.len() == 1 && there.iter().all(|request| !request.headers.contains_key("authorization")),
        "{there:#?}"
    );
    let token =
        |request: &&HubRequest| request.headers.get("authorization").is_some_and(|value| value == "Bearer hf_secret");
    assert!(here.len() == 8 && here.iter().all(token), "{here:#?}");
}

/// All files below a folder, as one text.
fn everything(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let of = |path: std::path::PathBuf| {
        if path.is_dir() {
            everything(&path)
        } else {
            String::from_utf8_lossy(&fs::read(path).expect("a file")).into_owned()
        }
    };
    entries.map(of).collect()
}

#[test]
fn a_token_is_in_no_word_no_file_and_no_list_of_processes() {
    const TOKEN: &str = "hf_canary_f3a9c1_never_shown";
    let (user, scratch) = (User::new(), tempfile::tempdir().expect("a directory"));
    user.hub.gate(TOKEN);
    // It waits a second before it goes on: so it can be looked at.
    user.hub.once(GRAPH, Once::Status(429, "\r\nRetry-After: 1"));
    let mut command = user.command("pull tiny -vvv");
    command.env("HF_TOKEN", TOKEN).env("TMPDIR", scratch.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("it starts");
    let mut errors = BufReader::new(running.stderr.take().expect("a pipe"));
    let mut said = String::new();
    while !said.contains("try 2 in 1.0 s") {
        assert_ne!(errors.read_line(&mut said).expect("a line"), 0, "it ended early: {said}");
    }
    let arguments = fs::read(format!("/proc/{}/cmdline", running.id())).expect("its arguments");
    errors.read_to_string(&mut said).expect("the rest");
    let ended = running.wait_with_output().expect("an end");
    assert!(ended.status.success(), "{said}");
    let arguments = String::from_utf8_lossy(&arguments);
    assert!(arguments.contains("pull"), "{arguments}");
    assert!(user.path("model.onnx").exists() || user.path(GRAPH).exists(), "it has the model");
    let listed = user.run_with("list --json", "HF_TOKEN", TOKEN).exits(0).all();
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    let (home, temporary) = (everything(user.home.path()), everything(scratch.path()));
    for text in [said.as_str(), &arguments, &listed, &output, &home, &temporary] {
        assert!(!text.contains(TOKEN), "{text:.2000}");
    }
}

#[test]
fn a_gated_model_needs_a_token() {
    let user = User::new();
    user.hub.gate("hf_secret");
    let none = user.run("pull tiny").exits(1);
    insta::assert_snapshot!("gated_no_token", user.redact(&none.stderr));
    let other = user.run_with("pull tiny", "HF_TOKEN", "hf_other").exits(1);
    insta::assert_snapshot!("gated_not_accepted", user.redact(&other.stderr));
    assert!(!user.path("").exists());
    insta::assert_snapshot!("list_empty", user.redact(&user.run("list").exits(0).all()));
    fs::write(user.home.path().join("token"), "hf_secret\n").expect("a file");
    user.run_with("pull tiny", "HF_TOKEN_PATH", "token").exits(0);
}

#[test]
fn what_the_hub_does_not_have_is_said() {
    let user = User::new();
    for (name, words) in [
        ("no_repository", "pull nobody/nothing"),
        ("no_revision", "pull tiny --revision v9"),
        ("bad_repository", "pull ../../etc"),
        ("bad_revision", "pull tiny --revision ../x"),
        ("bad_name", "pull tiny --as ../x"),
        ("remove_bad_name", "remove .."),
        ("remove_unknown", "remove other --yes"),
    ] {
        let run = user.run(words);
        insta::assert_snapshot!(name, format!("exit {}\n{}", run.code, user.redact(&run.stderr)));
    }
    user.hub.drop_file("onnx/model_quantized.onnx");
    insta::assert_snapshot!("no_int8", user.redact(&user.run("pull tiny --variant int8").exits(1).stderr));
    user.hub.drop_file(GRAPH);
    insta::assert_snapshot!("no_graph", user.redact(&user.run("pull tiny").exits(1).stderr));
    assert!(!user.path("").exists());
    let user = User::new();
    user.hub.drop_file("1_Pooling/config.json");
    insta::assert_snapshot!("no_pooling", user.redact(&user.run("pull tiny").exits(1).stderr));
    assert!(!user.path("").exists());
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let user = User::new();
    user.hub.redirect();
    user.hub.once(GRAPH, Once::BreakAfter(100_000));
    let run = user.run("pull tiny").exits(0);
    assert!(run.stderr.contains("↻ onnx/model.onnx: try 2 in 300 ms"), "{}", run.stderr);
    let requests = user.hub.take_requests();
    let asked: Vec<_> = of(&requests, GRAPH).into_iter().filter(|request| request.elsewhere).collect();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].headers.get("range").map(String::as_str), Some("bytes=100000-"));
    assert_eq!(asked.iter().map(|request| request.sent).sum::<usize>(), 300_000, "no byte came twice");
    assert_eq!(fs::read(user.path(GRAPH)).expect("the graph"), user.hub.file(GRAPH));
}

#[test]
fn the_next_run_goes_on_where_the_last_one_ended() {
    let user = User::new();
    user.hub.once(GRAPH, Once::BreakAfter(123_456));
    user.hub.once(GRAPH, Once::Status(404, ""));
    user.run("pull tiny").exits(1);
    assert!(!user.path("").exists(), "half a model is not a model");
    let length = fs::metadata(user.partial().expect("a part")).expect("its length").len();
    assert_eq!(length, 123_456);
    let row = &user.run("list --json").exits(0).json()["models"][0];
    assert_eq!((&row["name"], &row["state"]), (&"tiny".into(), &"partial".into()));
    user.hub.take_requests();
    let run = user.run("pull tiny").exits(0);
    assert!(run.stderr.contains("… onnx/model.onnx: resuming after 123.5 kB of 300.0 kB"), "{}", run.stderr);
    let requests = user.hub.take_requests();
    let asked = of(&requests, GRAPH);
    assert_eq!(asked[0].headers.get("range").map(String::as_str), Some("bytes=123456-"));
    assert_eq!((asked.len(), asked[0].sent), (1, 300_000 - 123_456));
    assert!(requests.len() <= 3, "small files that came are not asked for again: {requests:#?}");
    user.run("verify tiny").exits(0);
}

#[test]
fn a_server_without_ranges_and_a_spoilt_part_begin_anew() {
    let user = User::new();
    user.hub.forget_ranges();
    user.hub.once(GRAPH, Once::BreakAfter(100_000));
    user.run("pull tiny").exits(0);
    let requests = user.hub.take_requests();
    let sent: Vec<_> = of(&requests, GRAPH).iter().map(|request| request.sent).collect();
    assert_eq!(sent, [100_000, 300_000]);
    assert_eq!(fs::read(user.path(GRAPH)).expect("the graph"), user.hub.file(GRAPH));

    let user = User::new();
    user.hub.once(GRAPH, Once::BreakAfter(100_000));
    user.hub.once(GRAPH, Once::Status(404, ""));
    user.run("pull tiny").exits(1);
    fs::write(user.partial().expect("a part"), vec![0; 1_000]).expect("a file");
    let run = user.run("pull tiny").exits(0);
    assert!(run.stderr.contains("the partial download was invalid"), "{}", run.stderr);
    assert_eq!(fs::read(user.path(GRAPH)).expect("the graph"), user.hub.file(GRAPH));
}

#[test]
fn wrong_bytes_are_refused() {
    let user = User::new();
    let mut bytes = user.hub.file(GRAPH);
    bytes[1_000] ^= 1;
    user.hub.forge(GRAPH, &bytes);
    let run = user.run("pull tiny").exits(1);
    assert!(!user.path("").exists(), "nothing is in its place");
    let hash = {
        use sha2::Digest;
        hex::encode(sha2::Sha256::digest(user.hub.file(GRAPH)))
    };
    let parts = user.store().join(".work/tiny/parts");
    assert!(!parts.join(&hash).exists() && !parts.join(format!("{hash}.partial")).exists(), "nothing is left of it");
    let said = &run.stderr[run.stderr.find("error:").expect("an error")..];
    insta::assert_snapshot!("wrong_hash", cli::redact(said));
    bytes.push(0);
    user.hub.forge(GRAPH, &bytes);
    let run = user.run("pull tiny").exits(1);
    assert!(run.stderr.contains("300000 bytes were announced, the answer has 300001"), "{}", run.stderr);
    user.hub.forge("tokenizer.json", br#"{"version": "2.0"}"#);
    let run = user.run("pull tiny --as other").exits(1);
    assert!(
        run.stderr.contains("tokenizer.json does not match what the hub listed") || run.stderr.contains(GRAPH),
        "{}",
        run.stderr
    );
    assert!(!user.store().join("other").exists());
}

#[test]
fn a_busy_hub_is_asked_again_when_it_says() {
    let user = User::new();
    user.hub.once(GRAPH, Once::Status(429, "\r\nRetry-After: 1"));
    user.hub.once(GRAPH, Once::Status(503, ""));
    let run = user.run("pull tiny").exits(0);
    assert!(run.stderr.contains("try 2 in 1.0 s: the hub answers 429"), "{}", run.stderr);
    assert!(run.stderr.contains("try 3 in 600 ms: the hub answers 503"), "{}", run.stderr);
    user.run("remove tiny --yes").exits(0);
    user.hub.once(GRAPH, Once::Status(429, "\r\nRetry-After: 3600"));
    let run = user.run("pull tiny").exits(1);
    assert!(run.stderr.contains("retry after 3600 s"), "{}", run.stderr);
}

#[test]
fn a_limit_says_how_long_and_that_a_token_helps() {
    let user = User::new();
    user.hub.once(GRAPH, Once::Status(429, "\r\nRateLimit: \"api\";r=0;t=1"));
    let run = user.run("pull tiny").exits(0);
    assert!(run.stderr.contains("try 2 in 1.0 s: the hub answers 429"), "{}", run.stderr);
    user.run("remove tiny --yes").exits(0);
    user.hub.once(GRAPH, Once::Status(429, "\r\nRateLimit: \"api\";r=0;t=900"));
    let run = user.run("pull tiny").exits(1);
    assert!(run.stderr.contains("retry after 900 s") && run.stderr.contains("set HF_TOKEN"), "{}", run.stderr);
    user.hub.once(GRAPH, Once::Status(429, "\r\nRetry-After: 900"));
    let run = user.run_with("pull tiny", "HF_TOKEN", "hf_known").exits(1);
    assert!(run.stderr.contains("retry after 900 s") && !run.stderr.contains("set HF_TOKEN"), "{}", run.stderr);
}

#[test]
fn an_address_that_has_ended_is_asked_for_anew_once() {
    let user = User::new();
    user.hub.redirect();
    user.hub.once(GRAPH, Once::Status(403, ""));
    user.run("pull tiny").exits(0);
    let requests = user.hub.take_requests();
    let of_graph = of(&requests, GRAPH);
    let (there, here): (Vec<_>, Vec<_>) = of_graph.into_iter().partition(|request| request.elsewhere);
    assert_eq!((here.len(), there.len()), (2, 2), "the hub was asked for another address");
    user.run("remove tiny --yes").exits(0);
    for _ in 0..2 {
        user.hub.once(GRAPH, Once::Status(403, "\r\nX-Error-Message: it has expired\r\nX-Error-Code: Expired"));
    }
    let run = user.run("pull tiny").exits(1);
    assert!(run.stderr.contains("it has expired (Expired)") && !run.stderr.contains("licence"), "{}", run.stderr);
}

#[test]
fn what_the_hub_says_of_a_refusal_is_shown() {
    let user = User::new();
    let said = "\r\nX-Error-Message: this token has no read access";
    user.hub.once(GRAPH, Once::Status(403, said));
    let run = user.run_with("pull tiny", "HF_TOKEN", "hf_known").exits(1);
    assert!(run.stderr.contains("this token has no read access") && !run.stderr.contains("licence"), "{}", run.stderr);
    user.hub.once(GRAPH, Once::Status(403, "\r\nX-Error-Message: restricted\r\nX-Error-Code: GatedRepo"));
    let run = user.run_with("pull tiny", "HF_TOKEN", "hf_known").exits(1);
    assert!(run.stderr.contains("license is not accepted"), "{}", run.stderr);
}

#[test]
fn the_same_beginning_again_and_again_is_no_progress() {
    let user = User::new();
    user.hub.forget_ranges();
    user.hub.cut(100_000);
    user.run("pull tiny").exits(1);
    let requests = user.hub.take_requests();
    assert_eq!(of(&requests, GRAPH).len(), 5, "one that brought something, and four that brought it again");
}

#[test]
fn the_environment_is_read_as_the_hubs_own_tools_read_it() {
    let user = User::new();
    user.hub.gate("hf_secret");
    user.run_with("pull tiny", "HUGGING_FACE_HUB_TOKEN", "hf_secret").exits(0);
    let home = user.home.path().join("hub");
    fs::create_dir(&home).expect("a folder");
    fs::write(home.join("token"), "hf_secret").expect("a file");
    user.run("remove tiny --yes").exits(0);
    user.run_with("pull tiny", "HF_HOME", "~/hub").exits(0);
    user.run("remove tiny --yes").exits(0);
    user.hub.take_requests();
    let mut silent = user.command("pull tiny");
    silent.env("HF_TOKEN", "hf_secret").env("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    finish(&mut silent).exits(1);
    assert!(user.hub.take_requests().iter().all(|request| !request.headers.contains_key("authorization")));
    let run = user.run_with("pull tiny", "TRANSFORMERS_OFFLINE", "1").exits(1);
    assert!(run.stderr.contains("offline") && user.hub.take_requests().is_empty(), "{}", run.stderr);
    let mut both = user.command("pull tiny");
    both.env("TRANSFORMERS_OFFLINE", "1").env("HF_HUB_OFFLINE", "0").env("HF_TOKEN", "hf_secret");
    finish(&mut both).exits(0);
    // Set to nothing is not set; a proxy that is not there keeps the request on this machine.
    let mut usual = user.command("pull other");
    usual.env("HF_ENDPOINT", "").env("HTTPS_PROXY", "http://127.0.0.1:1").env("https_proxy", "http://127.0.0.1:1");
    let run = finish(&mut usual).exits(1);
    assert!(
        run.stderr.contains("huggingface.co") && !run.stderr.contains("HF_ENDPOINT is not the address"),
        "{}",
        run.stderr
    );
}

#[test]
fn offline_never_touches_the_network() {
    let user = User::new();
    insta::assert_snapshot!("offline_absent", user.redact(&user.run("pull tiny --offline").exits(1).stderr));
    assert_eq!(user.hub.take_requests().len(), 0);
    user.run("pull tiny").exits(0);
    user.hub.take_requests();
    let there = user.run_with("pull tiny", "HF_HUB_OFFLINE", "1").exits(0);
    insta::assert_snapshot!("offline_there", user.redact(&there.all()));
    for (name, words) in
        [("offline_graph", "pull tiny --variant int8"), ("offline_revision", "pull tiny --revision v2")]
    {
        let run = user.run(&format!("{words} --offline")).exits(1);
        insta::assert_snapshot!(name, user.redact(&run.stderr));
    }
    fs::write(user.path("vocab.txt"), "[BAD]\n[UNK]\n").expect("a file");
    let run = user.run("pull tiny --offline").exits(1);
    assert!(run.stderr.contains("vocab.txt of tiny has the SHA-256"), "{}", run.stderr);
    assert_eq!(user.hub.take_requests().len(), 0, "HF_HUB_OFFLINE and --offline send nothing");
    user.run_with("pull tiny", "HF_HUB_OFFLINE", "0").exits(0);
}

#[test]
fn files_stay_in_their_folder() {
    for path in ["../../evil", "/etc/cron.d/evil", "onnx/../../evil", "a\\..\\evil"] {
        let user = User::new();
        user.hub.list_besides(path);
        // It is not a file of a model: those that are come all the same.
        user.run("pull tiny").exits(0);
        let requests = user.hub.take_requests();
        assert!(of(&requests, "evil").is_empty() && requests.len() == 8, "{requests:#?}");
        let mut found = vec![user.home.path().to_owned()];
        while let Some(folder) = found.pop() {
            for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry")) {
                assert!(!entry.file_name().to_string_lossy().contains("evil"), "{}", entry.path().display());
                if entry.path().is_dir() {
                    found.push(entry.path());
                }
            }
        }
    }
}

#[test]
fn a_proxy_is_used_and_sees_no_token() {
    let user = User::new();
    let mut command = user.command("pull tiny");
    command.env("HF_ENDPOINT", "http://hub.invalid").env("HTTP_PROXY", &user.hub.url).env("http_proxy", &user.hub.url);
    let run = finish(command.env("HF_TOKEN", "hf_secret")).exits(0);
    assert!(run.stderr.contains("the token is not sent"), "{}", run.stderr);
    let requests = user.hub.take_requests();
    assert!(requests.len() == 8 && requests.iter().all(|request| !request.headers.contains_key("authorization")));
    assert!(requests.iter().all(|request| request.headers["host"] == "hub.invalid"), "{requests:#?}");
}

#[test]
fn one_process_at_a_time() {
    let user = User::new();
    fs::create_dir_all(user.store().join(".work")).expect("a folder");
    let held = fs::File::create(user.store().join(".work/tiny.lock")).expect("a file");
    held.lock().expect("a lock");
    insta::assert_snapshot!("busy", user.redact(&user.run("pull tiny").exits(1).stderr));
    assert_eq!(user.hub.take_requests().len(), 0);
    held.unlock().expect("it is free");
    user.run("pull tiny").exits(0);
}

#[test]
fn a_hub_that_is_not_there_and_a_store_that_cannot_be() {
    let user = User::new();
    // Not a port that was free a moment ago: the hub of another test may get it while this one is tried again.
    let address = "127.0.0.1:1";
    let run = user.run_with("pull tiny", "HF_ENDPOINT", &format!("http://{address}")).exits(1);
    insta::assert_snapshot!("unreachable", run.stderr.replace(address, "[HUB]"));
    fs::write(user.home.path().join("file"), "").expect("a file");
    let run = user.run("pull tiny --models file/models").exits(1);
    insta::assert_snapshot!("store_is_a_file", user.redact(&run.stderr));
    let run = user.run_with("pull tiny", "HF_ENDPOINT", "huggingface.co").exits(1);
    insta::assert_snapshot!("bad_endpoint", run.stderr);
}
