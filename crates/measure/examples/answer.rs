//! A server that answers every request with the same 200 as fast as one thread can: what load tools are compared against.
//!
//! `cargo run --release -p akidb-edge-measure --example answer -- 127.0.0.1:8099`

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: text/plain\r\n\r\nHello, world!";

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut matched, mut answers) = (vec![0; 16 << 10], 0, Vec::new());
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        answers.clear();
        for byte in &buffer[..count] {
            matched = match (matched, byte) {
                (0 | 2, b'\r') => matched + 1,
                (1, b'\n') => 2,
                (3, b'\n') => {
                    answers.extend_from_slice(ANSWER);
                    0
                }
                (_, b'\r') => 1,
                _ => 0,
            };
        }
        stream.write_all(&answers).await?;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8099".to_owned());
    let listener = TcpListener::bind(&address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}
