//! calls SOCKET: jsonrpsee's client over a Unix socket. Its requests follow one
//! another without any separator, an answer ends where its JSON does.
use jsonrpsee_core::client::{
    Client, ClientBuilder, ClientT, Error, ReceivedMessage, Subscription, SubscriptionClientT, TransportReceiverT,
    TransportSenderT,
};
use jsonrpsee_core::params::{ArrayParams, BatchRequestBuilder, ObjectParams};
use jsonrpsee_core::rpc_params;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::UnixStream;

struct Sender(OwnedWriteHalf);

impl TransportSenderT for Sender {
    type Error = std::io::Error;

    async fn send(&mut self, message: String) -> Result<(), Self::Error> {
        self.0.write_all(message.as_bytes()).await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.0.shutdown().await
    }
}

struct Receiver(OwnedReadHalf, Vec<u8>);

impl TransportReceiverT for Receiver {
    type Error = std::io::Error;

    async fn receive(&mut self) -> Result<ReceivedMessage, Self::Error> {
        loop {
            let mut values = serde_json::Deserializer::from_slice(&self.1).into_iter::<Value>();
            if let Some(Ok(_)) = values.next() {
                let rest = self.1.split_off(values.byte_offset());
                let text = String::from_utf8(std::mem::replace(&mut self.1, rest));
                return Ok(ReceivedMessage::Text(text.expect("UTF-8")));
            }
            if self.0.read_buf(&mut self.1).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn code(error: Error) -> i32 {
    match error {
        Error::Call(object) => object.code(),
        other => panic!("{other}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).expect("a socket");
    let (reader, writer) = UnixStream::connect(path).await?.into_split();
    let client: Client = ClientBuilder::default().build_with_tokio(Sender(writer), Receiver(reader, Vec::new()));

    let list: BTreeMap<String, String> = client.request("service_list", ArrayParams::new()).await?;
    assert!(list.is_empty());
    let mut logs: Subscription<String> =
        client.subscribe("stream_subscribeLogs", rpc_params![Some("a")], "stream_unsubscribeLogs").await?;
    let _: () = client.request("service_monitor", rpc_params!["a"]).await?;
    while logs.next().await.expect("a line")? != "[+] a: up" {}
    logs.unsubscribe().await?;

    assert_eq!(code(client.request::<(), _>("service_monitor", rpc_params!["a"]).await.unwrap_err()), -32001);
    assert_eq!(code(client.request::<(), _>("service_nosuch", ArrayParams::new()).await.unwrap_err()), -32601);
    assert_eq!(code(client.request::<(), _>("service_forget", rpc_params!["a"]).await.unwrap_err()), -32002);
    client.notification("service_stop", rpc_params!["a"]).await?; // not executed

    let mut by_name = ObjectParams::new();
    by_name.insert("name", "a")?;
    let status: Value = client.request("service_status", by_name).await?;
    assert_eq!((status["state"].as_str(), status["target"].as_str()), (Some("Running"), Some("Up")));

    let mut batch = BatchRequestBuilder::new();
    batch.insert("service_status", rpc_params!["a"])?;
    batch.insert("service_status", rpc_params!["nosuch"])?;
    let answers: Vec<_> = client.batch_request::<Value>(batch).await?.into_iter().collect();
    assert_eq!(answers[0].as_ref().expect("a status")["name"], "a");
    assert_eq!(answers[1].as_ref().unwrap_err().code(), -32000);

    let many = (0..100).map(|_| client.request::<Value, _>("service_status", rpc_params!["a"]));
    for one in many.collect::<Vec<_>>() {
        assert_eq!(one.await?["name"], "a");
    }
    let _: () = client.request("service_kill", rpc_params!["a", "SIGCONT"]).await?;
    let _: () = client.request("service_stop", rpc_params!["a"]).await?;
    let _: () = client.request("service_forget", rpc_params!["a"]).await?;
    let list: BTreeMap<String, String> = client.request("service_list", ArrayParams::new()).await?;
    println!("{}", list.len());
    Ok(())
}
