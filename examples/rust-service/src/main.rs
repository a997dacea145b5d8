//! Serves the shop: `DATABASE_URL`, and `DATABASE_ADMIN_URL` where its tables are to be made first.

use std::env;

use rust_service::{Failure, Shop, greet, install};
use tokio::net::TcpListener;
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt().init();
    if let Ok(admin) = env::var("DATABASE_ADMIN_URL") {
        install(&admin).await?;
    }
    let url = env::var("DATABASE_URL").map_err(|_| "DATABASE_URL names no database")?;
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8000".to_owned());
    let shop = Shop::open(&url).await?;
    let listener = TcpListener::bind(&address).await?;
    tracing::info!("listening on http://{}", listener.local_addr()?);

    let (stop, mut stopped) = watch::channel(());
    let told = async move {
        stopped.changed().await.ok();
    };
    let working = tokio::spawn({
        let shop = shop.clone();
        async move { shop.work(told).await }
    });
    let serving = axum::serve(listener, shop.routes()).with_graceful_shutdown(async {
        tokio::signal::ctrl_c().await.ok();
    });
    tokio::select! {
        served = serving => served?,
        greeted = greet(shop) => greeted?,
    }
    drop(stop);
    working.await?;
    Ok(())
}
