//! That a client of a server which may only read sends nothing else, whoever asks it to.

use http::Method;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;
use crate::Gitea;

/// The next method that arrives; the connection is closed without an answer.
async fn arrives(forge: &TcpListener) -> String {
    let (mut stream, _) = forge.accept().await.unwrap();
    let mut line = [0; 64];
    let length = stream.read(&mut line).await.unwrap();
    String::from_utf8_lossy(&line[..length]).split(' ').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_read_only_server_sends_nothing_but_reads() {
    let forge = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("http://{}/", forge.local_addr().unwrap());
    for read_only in ["--read-only", "--gitea-readonly"] {
        let (args, kit) = kit::testing::lent::<Gitea>(&["--gitea-host", &host, read_only]).await.unwrap();
        let client = Client::new(args, kit).unwrap();
        let path = Path::repo("a", "b");
        let request = |method| Request { method, path: &path, query: String::new(), body: None };
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let refused = client.exchange(None, &request(method.clone())).await;
            assert!(matches!(refused, Err(Error::ReadOnly(_))), "{method}: {refused:?}");
        }
        for method in [Method::GET, Method::HEAD] {
            let request = request(method.clone());
            tokio::select! {
                came = arrives(&forge) => assert_eq!(came, method.as_str()),
                answer = client.exchange(None, &request) => panic!("{answer:?}"),
            }
        }
    }
    let (args, kit) = kit::testing::lent::<Gitea>(&["--gitea-host", &host]).await.unwrap();
    let client = Client::new(args, kit).unwrap();
    let path = Path::repo("a", "b");
    let request = Request { method: Method::POST, path: &path, query: String::new(), body: None };
    tokio::select! {
        came = arrives(&forge) => assert_eq!(came, "POST"),
        answer = client.exchange(None, &request) => panic!("{answer:?}"),
    }
}
