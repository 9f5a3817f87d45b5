use super::*;

#[derive(Debug, Deserialize)]
struct Body {
    inputs: Texts,
}

fn read(body: &str) -> Result<Vec<String>, String> {
    let read = json::<Body>(&HeaderMap::new(), body.as_bytes());
    read.map(|body| body.inputs.0).map_err(|why| why.0.message.into_owned())
}

#[test]
fn one_text_or_several() {
    assert_eq!(read(r#"{"inputs": ""}"#).unwrap(), [""]);
    assert_eq!(read(r#"{"inputs": ["a", "\u00e9\u0000"]}"#).unwrap(), ["a", "é\0"]);
    assert_eq!(read("\u{feff}{\"inputs\": \"\\ud83d\\ude80\"}").unwrap(), ["🚀"]);
}

#[test]
fn a_list_is_read_no_further_than_a_request_may_be_long() {
    let of = |count: usize| format!(r#"{{"inputs": [{}]}}"#, vec![r#""""#; count].join(","));
    assert_eq!(read(&of(ELEMENTS)).unwrap().len(), ELEMENTS);
    assert!(read(&of(ELEMENTS + 1)).unwrap_err().contains("more than 131072 elements"));
    let compared =
        |count: usize| format!(r#"{{"source_sentence": "a", "sentences": [{}]}}"#, vec![r#""""#; count].join(","));
    assert!(serde_json::from_str::<SimilarityInput>(&compared(3)).is_ok());
    assert!(serde_json::from_str::<SimilarityInput>(&compared(ELEMENTS + 1)).is_err());
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let said: Vec<String> = [
        r#"{"inputs": [3, 4]}"#,
        r#"{"inputs": [[3, 4]]}"#,
        r#"{"inputs": ["a", null]}"#,
        r#"{"inputs": {"a": 1}}"#,
        r#"{"inputs": "\ud800"}"#,
        r#"{"inputs": ["a", "b \ude80"]}"#,
        r#"{"inputs": ["a", "\ud83d\n"]}"#,
        r#"{"inputs": ["\ud83d\ud83d\ude80"]}"#,
        r#"{"inputs": ["a", "\x", "\ud83d"]}"#,
        r#"{"inputs": "a", "inputs": "b"}"#,
        r#"{"inputs": "a"} x"#,
        r#"{"inputs": true}"#,
        r#"{"inputs": "a" "b"}"#,
        r#"{}"#,
        "",
        "[]",
        r#"["a"]"#,
        r#""a""#,
        " 3",
        "{bad",
    ]
    .iter()
    .map(|body| format!("{body}\n    {}", read(body).unwrap_err()))
    .collect();
    insta::assert_snapshot!(said.join("\n"));
    assert!(read(&format!("{{\"inputs\": {}", "[".repeat(100_000))).unwrap_err().contains("inputs[0]"));
}

#[test]
fn of_what_a_client_made_up_the_beginning_is_repeated() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[serde(rename = "normalize")]
        _normalize: Option<bool>,
    }
    let read = |body: &str| json::<Strict>(&HeaderMap::new(), body.as_bytes()).unwrap_err().0.message.into_owned();
    let long = "x".repeat(1 << 20);
    let field = read(&format!("{{\"{long}\": 1}}"));
    assert!(field.contains(&format!("{}…\"; allowed: normalize", "x".repeat(60))), "{field}");
    let value = read(&format!("{{\"normalize\": \"{long}\"}}"));
    assert!(
        value.starts_with("normalize must be true or false, not the string \"xxx") && value.ends_with("…\""),
        "{value}"
    );
    assert!(field.len() < 300 && value.len() < 300);
    let backticks = read(&format!("{{\"{}\": 1}}", "`, expected ".repeat(100_000)));
    assert!(backticks.len() < 300, "{}", backticks.len());
}

#[test]
fn an_address_may_do_both() {
    #[derive(Debug, Deserialize)]
    struct Body {
        inputs: InputKind,
    }
    let read = |body: &str| json::<Body>(&HeaderMap::new(), body.as_bytes()).map(|body| body.inputs);
    assert_eq!(read(r#"{"inputs": ["a"]}"#).unwrap(), InputKind::Texts(Texts(vec!["a".into()])));
    let compared = SimilarityInput { source_sentence: "a".into(), sentences: vec!["b".into()] };
    let both = read(r#"{"inputs": {"source_sentence": "a", "sentences": ["b"]}}"#).unwrap();
    assert_eq!(both, InputKind::Compared(compared));
    let why = read(r#"{"inputs": {"text": "a"}}"#).unwrap_err();
    assert_eq!(why.0.message, "inputs.source_sentence is missing; /openapi.json describes the body");
    assert_eq!(why.0.cause, ProblemCause::Engine(ErrorCode::InvalidRequest));
    let why = read(r#"{"inputs": {"source_sentence": "a", "sentences": ["b", 3]}}"#).unwrap_err();
    assert_eq!(why.0.message, "inputs.sentences[1] must be a string, not 3");
    let why = read(r#"{"inputs": 3}"#).unwrap_err();
    let wanted = "a text, a list of texts, or an object with source_sentence and sentences";
    assert_eq!(why.0.message, format!("inputs must be {wanted}, not 3"));
}

#[test]
fn bytes_that_are_no_text_are_told_from_json_that_is_wrong() {
    let read = |body: &[u8]| json::<Body>(&HeaderMap::new(), body).unwrap_err().0;
    let half = read(b"{\"inputs\": [\"a\", \"\xed\xa0\xbd\"]}");
    assert!(half.message.starts_with("inputs[1]: the text contains half of a surrogate pair"), "{half:?}");
    let latin = read(b"{\"inputs\": [\"caf\xe9\"]}");
    assert!(latin.message.starts_with("inputs[0]: the text is not UTF-8"), "{latin:?}");
    assert!(read(b"\xff\xfe{\0").message.contains("UTF-16"));
    assert_eq!(latin.cause, ProblemCause::Status);
}

#[test]
fn kinds_of_bodies() {
    for kind in ["", "application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", "text/json"] {
        assert!(is_json(kind.as_bytes()), "{kind}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "jsonp"] {
        assert!(!is_json(kind.as_bytes()), "{kind}");
    }
}
