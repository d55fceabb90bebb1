//! `tonic`: a server and clients, with the health service that comes with it.

use futures::future::join_all;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::bridged;
use super::common::*;

#[test]
fn a_server_of_tonic_answers_goroutines_and_streams_to_them() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        bridged(workers, async {
            let (reporter, health) = tonic_health::server::health_reporter();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let served = gorun::spawn(
                tonic::transport::Server::builder()
                    .add_service(health)
                    .serve_with_incoming(TcpListenerStream::new(listener)),
            );
            let endpoint = tonic::transport::Endpoint::new(format!("http://{address}")).unwrap();
            let client = HealthClient::new(endpoint.connect().await.unwrap());
            let checks = (0..50).map(|_| {
                let mut client = client.clone();
                gorun::spawn(async move {
                    let request = HealthCheckRequest { service: String::new() };
                    client.check(request).await.unwrap().into_inner().status
                })
            });
            for status in join_all(checks).await {
                assert_eq!(status.unwrap(), ServingStatus::Serving as i32);
            }
            let mut client = client;
            let request = HealthCheckRequest { service: String::new() };
            let mut changes = client.watch(request).await.unwrap().into_inner();
            let first = changes.next().await.unwrap().unwrap().status;
            assert_eq!(first, ServingStatus::Serving as i32);
            reporter.set_service_status("", ServingStatus::NotServing).await;
            let second = changes.next().await.unwrap().unwrap().status;
            assert_eq!(second, ServingStatus::NotServing as i32);
            served.abort();
            assert!(served.await.unwrap_err().is_cancelled());
        });
    }
}
