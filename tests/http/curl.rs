//! A client that others have written: `curl`, where there is one.

use std::io::Write;
use std::process::{Command, Stdio};

use futures::future::join_all;
use http_body_util::BodyExt;

use super::client::*;
use super::common::*;

/// Its output, which is that of the answers and then of `--write-out`.
fn curl(arguments: &[&str], input: &[u8]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "100"]).args(arguments);
    let mut child =
        curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A connection for each request: curl 7.88 fails by itself when it uses one of HTTP/2 again that had no
/// upgrade.
#[test]
fn curl_gets_its_answers_with_both_versions_of_http() {
    let _watchdog = watchdog();
    if Command::new("curl").arg("--version").output().is_err() {
        // The harness would hide it by `eprintln`.
        let _ = std::io::stderr().write_all(b"\nSKIPPED: there is no curl\n");
        return;
    }
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|request| async move {
                let path = request.uri().path().to_owned();
                let size = request.into_body().collect().await.unwrap().to_bytes().len();
                text(format!("<{path} {size}>"))
            });
            let address = start(&server).await;
            for (version, number) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
                let url = format!("http://{address}/one");
                let told = ["--write-out", "%{http_version} %{http_code}"];
                let arguments = [version, told[0], told[1], &url];
                let got = gorun::blocking(|| curl(&arguments, b""));
                assert_eq!(got, format!("</one 0>{number} 200"));

                let body = vec![b'x'; 3 << 20];
                let arguments = [version, "--data-binary", "@-", &url];
                let got = gorun::blocking(|| curl(&arguments, &body));
                assert_eq!(got, format!("</one {}>", body.len()));

                // Several at the same time.
                let many = (0..10).map(|n| {
                    let url = format!("http://{address}/{n}");
                    gorun::spawn(async move {
                        let got = gorun::blocking(|| curl(&[version, &url], b""));
                        assert_eq!(got, format!("</{n} 0>"));
                    })
                });
                join_all(many).await.into_iter().for_each(Result::unwrap);
            }
            server.shutdown(HOUR).await.unwrap();
        });
    }
}
