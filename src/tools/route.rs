//! A plain request through the ingress controller, to learn whether it serves a rule yet.
//!
//! Owns that one probe. What an answer should contain is the business of checks.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::Route;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Asks once: any answer but "no such rule" (404 of the default backend) and "no endpoint yet"
/// (502, 503, 504) shows that the rule is served.
///
/// # Errors
/// What came instead.
pub async fn probe(port: u16, route: &Route) -> Result<(), String> {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let host = if route.host.is_empty() { "localhost" } else { &route.host };
        let path = if route.path.starts_with('/') { &route.path } else { "/" };
        // The path of a rule may be a regular expression; its plain beginning will do.
        let plain = path.split(['(', '[', '*', '|', '?']).next().unwrap_or("/");
        let request = format!(
            "GET {plain} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sandbox\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = tokio::time::timeout(ANSWER, ask)
        .await
        .map_err(|_| format!("no answer within {}s", ANSWER.as_secs()))?
        .map_err(|error| error.to_string())?;
    judge(&answer)
}

fn judge(answer: &str) -> Result<(), String> {
    let status = answer.split_whitespace().nth(1).unwrap_or_default();
    let from_nginx = answer.contains("<hr><center>nginx");
    match status {
        "" => Err("the connection was closed without an answer".to_owned()),
        "404" if from_nginx => Err("404: the ingress controller does not know the host".to_owned()),
        "502" | "503" | "504" if from_nginx => {
            Err(format!("{status}: the Service behind it has no ready pod"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apps_own_404_is_an_answer_and_the_controllers_is_not() {
        assert!(judge("HTTP/1.1 404 Not Found\r\n\r\n{}").is_ok());
        assert!(judge("HTTP/1.1 200 OK\r\n\r\n").is_ok());
        let page = "HTTP/1.1 404 Not Found\r\n\r\n<hr><center>nginx</center>";
        assert!(judge(page).unwrap_err().contains("does not know"));
        assert!(judge("HTTP/1.1 503 X\r\n\r\n<hr><center>nginx/1.26.3</center>").is_err());
        assert!(judge("").is_err());
    }
}
