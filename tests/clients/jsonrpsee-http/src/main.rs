// The library that Rust clients of the original use, against a proxy: HTTP, WebSocket,
// batches, errors, a subscription. Argument: HOST:PORT. Prints "ok".
use jsonrpsee::core::client::{ClientT, Error, Subscription, SubscriptionClientT};
use jsonrpsee::core::params::BatchRequestBuilder;
use jsonrpsee::http_client::{HeaderMap, HttpClientBuilder};
use jsonrpsee::rpc_params;
use jsonrpsee::ws_client::WsClientBuilder;
use serde_json::Value;
use std::collections::BTreeMap;

async fn calls<C: ClientT>(client: &C) {
    let list: BTreeMap<String, String> = client.request("service_list", rpc_params![]).await.unwrap();
    assert_eq!(list["a"], "Running");
    let status: Value = client.request("service_status", rpc_params!["a"]).await.unwrap();
    assert_eq!(status["name"], "a");
    let lines: Vec<String> = client.request("stream_currentLogs", rpc_params![None::<String>]).await.unwrap();
    assert!(!lines.is_empty());
    match client.request::<Value, _>("service_status", rpc_params!["nope"]).await {
        Err(Error::Call(e)) => assert_eq!(e.code(), -32000),
        other => panic!("{other:?}"),
    }
    let mut batch = BatchRequestBuilder::new();
    batch.insert("service_status", rpc_params!["a"]).unwrap();
    batch.insert("service_status", rpc_params!["nope"]).unwrap();
    batch.insert("service_list", rpc_params![]).unwrap();
    let answers = client.batch_request::<Value>(batch).await.unwrap();
    assert_eq!((answers.num_successful_calls(), answers.num_failed_calls()), (2, 1));
    let stopped: Value = client.request("service_stop", rpc_params!["a"]).await.unwrap();
    assert!(stopped.is_null());
    client.request::<Value, _>("service_start", rpc_params!["a"]).await.unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::args().nth(1).expect("HOST:PORT");
    let mut headers = HeaderMap::new();
    if let Some(token) = std::env::args().nth(2) {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let http = HttpClientBuilder::default().set_headers(headers.clone()).build(format!("http://{address}")).unwrap();
    calls(&http).await;
    let ws = WsClientBuilder::default().set_headers(headers).build(format!("ws://{address}")).await.unwrap();
    calls(&ws).await;
    let mut lines: Subscription<String> = ws
        .subscribe("stream_subscribeLogs", rpc_params!["talk"], "stream_unsubscribeLogs")
        .await
        .unwrap();
    for _ in 0..5 {
        assert!(lines.next().await.unwrap().unwrap().contains("talk: "));
    }
    lines.unsubscribe().await.unwrap();
    println!("ok");
}
