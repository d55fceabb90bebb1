//! Datagrams.

use gorun::net::UdpSocket;
use gorun::spawn;

use super::with_workers;

#[test]
pub(super) fn datagrams_keep_their_bounds() {
    with_workers(async || {
        let server = UdpSocket::bind("127.0.0.1:0").await?;
        let client = UdpSocket::bind("127.0.0.1:0").await?;
        client.connect(server.local_addr()?).await?;
        spawn({
            let server = server.clone();
            async move {
                let mut buf = [0; 2048];
                while let Ok((length, peer)) = server.recv_from(&mut buf).await {
                    server.send_to(&buf[..length], peer).await.unwrap();
                }
            }
        })
        .detach();
        let mut buf = [0; 2048];
        for length in [0, 1, 1400] {
            client.send(&vec![5; length]).await?;
            assert_eq!(client.recv(&mut buf).await?, length);
        }
        assert!(client.send(&vec![0; 100_000]).await.is_err());
        Ok(())
    });
}

#[test]
pub(super) fn each_datagram_reaches_one_of_several_receivers() {
    with_workers(async || {
        let server = UdpSocket::bind("127.0.0.1:0").await?;
        let client = UdpSocket::bind("127.0.0.1:0").await?;
        client.connect(server.local_addr()?).await?;
        let receivers: Vec<_> = (0..20)
            .map(|_| {
                let server = server.clone();
                spawn(async move {
                    let mut byte = [0];
                    server.recv(&mut byte).await.map(|_| byte[0])
                })
            })
            .collect();
        for number in 0..20 {
            client.send(&[number]).await?;
        }
        let mut seen = Vec::new();
        for receiver in receivers {
            seen.push(receiver.await.unwrap()?);
        }
        seen.sort();
        assert!(seen.into_iter().eq(0..20));
        Ok(())
    });
}
