//! Journals that were damaged: what is refused, with its line, and what is left out.

use akidb_edge::ledger::{FORMAT, Ledger, LedgerError};

use super::{Ground, STACK, fixture, lines_of, succeeded, treaty};
use testkit::fake_world::began;

on_both!(what_cannot_be_read_is_refused_with_its_line);

async fn what_cannot_be_read_is_refused_with_its_line(ground: &Ground) {
    let text = fixture();
    let lines = lines_of(&text);
    let broken = [lines[0], &lines[1][..20], lines[2], ""].join("\n");
    ground.put(&broken).await;
    match ground.open().await.map(drop) {
        Err(LedgerError::Corrupt { line, .. }) => assert_eq!(line, 2),
        other => panic!("{other:?}"),
    }
    assert!(ground.store().lease().await.expect("readable").is_none(), "the lease was given back");
    ground
        .put(&format!(
            "{}\n{}\n",
            lines[0],
            lines[1].replace(&format!("\"v\":{FORMAT}"), &format!("\"v\":{}", FORMAT + 1))
        ))
        .await;
    match ground.open().await.map(drop) {
        Err(LedgerError::Newer { found, known, .. }) => assert_eq!((found, known), (FORMAT + 1, FORMAT)),
        other => panic!("{other:?}"),
    }
    // Format 1 has no checksums, but its entries are counted.
    let old = treaty(1, "every-fact");
    let old = lines_of(&old);
    ground.put(&format!("{}\n{}\n", old[0], old[2])).await;
    match ground.open().await.map(drop) {
        Err(LedgerError::Contradicts { source, .. }) => assert_eq!(source.seq, 3),
        other => panic!("{other:?}"),
    }
    ground.put(&format!("{}\n{}\n", lines[0], old[1])).await;
    match ground.open().await.map(drop) {
        Err(LedgerError::Corrupt { line, problem, .. }) => {
            assert_eq!(
                (line, problem.as_str()),
                (2, format!("it has format 1 behind a line of format {FORMAT}").as_str())
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unfinished_last_line_is_left_out_and_written_over() {
    let text = fixture().replace("me@here", "mé@here");
    let whole = resealed(&text);
    let lines = lines_of(&whole);
    let (kept, last) = (format!("{}\n{}\n", lines[0], lines[1]), lines[2].as_bytes());
    let accent = lines[13].find('é').expect("the second run has it");
    let torn: [(&str, Vec<u8>); 4] = [
        ("cut", last[..30].to_vec()),
        ("cut within a letter of two bytes", lines[13].as_bytes()[..=accent].to_vec()),
        ("zeros of a file system that lost power", vec![0; 4096]),
        ("cut, then zeros", [&last[..30], &[0; 512]].concat()),
    ];
    for (how, rest) in torn {
        let ground = Ground::directory();
        ground.put("").await;
        let Ground::Directory(directory) = &ground else { unreachable!() };
        let path = directory.path().join(STACK).join("journal.jsonl");
        std::fs::write(&path, [kept.as_bytes(), &rest].concat()).expect("written");
        let reader = Ledger::read(ground.store(), STACK).await.unwrap_or_else(|bad| panic!("{how}: {bad}"));
        assert_eq!(reader.entries().await.expect("readable").len(), 2, "{how}");
        let ledger = ground.open().await.unwrap_or_else(|bad| panic!("{how}: {bad}"));
        ledger.record(succeeded(9)).await.expect("recorded");
        ledger.close().await.expect("closed");
        let entries = Ledger::read(ground.store(), STACK).await.expect("readable").entries().await.expect("readable");
        assert_eq!(entries.len(), 3, "{how}");
        assert_eq!(entries[2].fact, succeeded(9), "{how}");
    }
}

#[tokio::test]
async fn what_editors_do_to_line_ends_is_no_damage() {
    let text = fixture();
    let count = lines_of(&text).len();
    let spoilt: [(&str, String); 6] = [
        ("CRLF", text.replace('\n', "\r\n")),
        ("a blank last line", format!("{text}\n")),
        ("blank lines with blanks", text.replace('\n', "\n  \r\n")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("the end of the last line taken away", text.trim_end().to_owned()),
        ("CRLF without the last", text.trim_end().replace('\n', "\r\n")),
    ];
    for (how, text) in spoilt {
        let ground = Ground::directory();
        ground.put(&text).await;
        let ledger = ground.open().await.unwrap_or_else(|bad| panic!("{how}: {bad}"));
        assert_eq!(ledger.entries().await.expect("readable").len(), count, "{how}: no entry is dropped");
        ledger.record(began(ledger.recorded().revision() + 1)).await.expect("recorded");
        ledger.record(succeeded(9)).await.expect("recorded");
        ledger.close().await.expect("closed");
        let again = Ledger::read(ground.store(), STACK).await.unwrap_or_else(|bad| panic!("{how}: {bad}"));
        assert_eq!(again.entries().await.expect("readable").len(), count + 2, "{how}");
        let Ground::Directory(directory) = &ground else { unreachable!() };
        let now = std::fs::read_to_string(directory.path().join(STACK).join("journal.jsonl")).expect("a journal");
        assert!(now.starts_with(&text), "{how}: what was there stays");
    }
}

#[tokio::test]
async fn after_a_write_that_failed_nothing_is_written_that_would_leave_a_gap() {
    let ground = Ground::directory();
    let Ground::Directory(directory) = &ground else { unreachable!() };
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let (journal, away) = (directory.path().join(STACK).join("journal.jsonl"), directory.path().join("away"));
    std::fs::rename(&journal, &away).expect("moved");
    std::fs::create_dir(&journal).expect("in its place");
    let failed = ledger.record(succeeded(1)).await.expect_err("a directory is not a file");
    assert!(matches!(failed, LedgerError::File { .. }), "{failed}");
    std::fs::remove_dir(&journal).expect("gone");
    std::fs::rename(&away, &journal).expect("back");
    let broken = ledger.record(succeeded(2)).await.expect_err("entry 2 is missing");
    assert!(matches!(broken, LedgerError::Broken(_)), "{broken}");
    ledger.close().await.expect("closed");
    let entries =
        Ledger::read(ground.store(), STACK).await.expect("readable, without a gap").entries().await.expect("readable");
    assert_eq!(entries.len(), 1);
}

/// The journal with the same entries and right checksums, after a test changed its words.
fn resealed(text: &str) -> String {
    let mut before = [0; 32];
    let lines = text.lines().map(|line| {
        let body = format!("{}}}", line.rsplit_once(",\"sum\"").expect("sealed").0);
        before = <sha2::Sha256 as sha2::Digest>::digest([&before[..], body.as_bytes()].concat()).into();
        format!("{},\"sum\":\"{}\"}}\n", &body[..body.len() - 1], hex::encode(&before[..8]))
    });
    lines.collect()
}

#[tokio::test]
async fn damage_is_found_at_its_line_wherever_it_is() {
    let text = fixture();
    let lines = lines_of(&text);
    for at in 0..lines.len() {
        let ground = Ground::directory();
        let refused_at = |text: String| {
            let ground = &ground;
            async move {
                ground.put(&text).await;
                match Ledger::read(ground.store(), STACK).await.map(drop) {
                    Err(LedgerError::Corrupt { line, .. }) => line,
                    other => panic!("line {at}: {other:?}"),
                }
            }
        };
        let whole = |lines: &[&str]| lines.join("\n") + "\n";
        let with = |line: &str| {
            let mut changed = lines.clone();
            changed[at] = line;
            whole(&changed)
        };
        // One letter of a word, so that it is still JSON and still an entry.
        let edited = lines[at].replacen("2026-11-21", "2026-11-22", 1);
        assert_eq!(refused_at(with(&edited)).await, at + 1, "edited");
        let unsealed = format!("{}}}", lines[at].rsplit_once(",\"sum\"").expect("sealed").0);
        assert_eq!(refused_at(with(&unsealed)).await, at + 1, "without its checksum");
        if at + 1 < lines.len() {
            assert_eq!(refused_at(with("")).await, at + 2, "a blank line in its place");
            let mut fewer = lines.clone();
            fewer.remove(at);
            assert_eq!(refused_at(whole(&fewer)).await, at + 1, "taken out");
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            assert_eq!(refused_at(whole(&swapped)).await, at + 1, "out of order");
        }
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        assert_eq!(refused_at(whole(&twice)).await, at + 2, "twice");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_with_their_line() {
    let ground = Ground::directory();
    ground.put("").await;
    let Ground::Directory(directory) = &ground else { unreachable!() };
    let mut bytes = treaty(1, "every-fact").into_bytes();
    let second = bytes.iter().position(|byte| *byte == b'\n').expect("lines") + 1;
    bytes[second + 100] = 0xff;
    std::fs::write(directory.path().join(STACK).join("journal.jsonl"), bytes).expect("written");
    match Ledger::read(ground.store(), STACK).await.map(drop) {
        Err(LedgerError::Corrupt { line, problem, .. }) => {
            assert_eq!((line, problem.as_str()), (2, "byte 101 is not UTF-8"));
        }
        other => panic!("{other:?}"),
    }
}
