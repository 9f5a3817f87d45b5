//! HTTP/1.1 messages as they pass through: the head as text, the body as it came.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A request or an answer.
pub struct Message {
    /// First line and headers with the empty line that ends them.
    pub head: String,
    /// The body, chunks and all.
    pub body: Vec<u8>,
}

impl Message {
    /// The next request of a connection; none when it has ended.
    pub async fn request(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let Some(head) = read_head(from).await? else { return Ok(None) };
        if header(&head, "expect").is_some() {
            from.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = read_body(from, &head, false).await?;
        Ok(Some(Self { head, body }))
    }

    /// The answer to the request with the head `asked`.
    pub async fn answer(from: &mut BufReader<TcpStream>, asked: &str) -> io::Result<Self> {
        let head = read_head(from).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        let none = asked.starts_with("HEAD ") || status.starts_with('1') || status == "204" || status == "304";
        let body = if none { Vec::new() } else { read_body(from, &head, true).await? };
        Ok(Self { head, body })
    }

    /// An answer of the proxy's own; a HEAD request gets the head alone.
    pub fn own(status: u16, headers: &[(&str, &str)], body: &str, asked: &str) -> Self {
        let headers: String = headers.iter().map(|(key, value)| format!("{key}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} Other\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        let body = if asked.starts_with("HEAD ") { Vec::new() } else { body.as_bytes().to_vec() };
        Self { head, body }
    }

    /// The same without these headers.
    pub fn without(self, names: &[&str]) -> Self {
        let named =
            |line: &str| line.split_once(':').is_some_and(|(name, _)| names.contains(&name.to_lowercase().as_str()));
        let lines = self.head.trim_end().split("\r\n").filter(|line| !named(line));
        let head: String = lines.map(|line| format!("{line}\r\n")).collect();
        Self { head: head + "\r\n", ..self }
    }

    /// The same with other words in the body. Chunked bodies are not touched: the local AWS sends none where it counts.
    pub fn with(self, from: &str, to: &str) -> Self {
        self.rewritten(|body| body.replace(from, to))
    }

    /// The same with another body.
    pub fn rewritten(self, write: impl FnOnce(&str) -> String) -> Self {
        let text = write(&String::from_utf8_lossy(&self.body));
        let is_length = |line: &str| line.to_ascii_lowercase().starts_with("content-length:");
        let lines = self.head.trim_end().split("\r\n").filter(|line| !is_length(line));
        let head: String = lines.map(|line| format!("{line}\r\n")).collect();
        Self { head: format!("{head}Content-Length: {}\r\n\r\n", text.len()), body: text.into_bytes() }
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }
}

/// The value of a header.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn read_head(from: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head).await? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
    Ok(Some(head))
}

async fn read_body(from: &mut BufReader<TcpStream>, head: &str, to_the_end: bool) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if header(head, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        read_chunks(from, &mut body).await?;
    } else if let Some(length) = header(head, "content-length") {
        body.resize(length.parse().map_err(io::Error::other)?, 0);
        from.read_exact(&mut body).await?;
    } else if to_the_end {
        from.read_to_end(&mut body).await?;
    }
    Ok(body)
}

async fn read_chunks(from: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        from.read_line(&mut line).await?;
        body.extend_from_slice(line.as_bytes());
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            break;
        }
        let begin = body.len();
        body.resize(begin + size + 2, 0);
        from.read_exact(&mut body[begin..]).await?;
    }
    while !body.ends_with(b"\r\n\r\n") {
        if from.read_until(b'\n', body).await? == 0 {
            break;
        }
    }
    Ok(())
}
