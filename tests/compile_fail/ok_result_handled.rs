async fn later() -> Result<(), String> {
    Ok(())
}

async fn unit() {}

async fn number() -> u32 {
    1
}

fn plain() -> Option<u32> {
    None
}

fn main() {
    gorun::go!(unit());
    gorun::go!(number());
    gorun::go!(plain());
    gorun::go!(async {
        let _ = later().await;
    });
    gorun::go!(async {
        if let Err(error) = later().await {
            println!("{error}");
        }
    });
}
