//! A list of things to do, over HTTP, in a database of SQLite: `axum` on gorun's server, and a pool of
//! `sqlx`'s, which all requests share.
//!
//! `cargo run --package gorun-web-examples --example todo todo.db`, and then
//!
//! ```text
//! curl --data 'buy milk' 127.0.0.1:8080
//! curl 127.0.0.1:8080
//! curl --request DELETE 127.0.0.1:8080/1
//! ```

use std::env;
use std::error::Error;
use std::fmt::Write;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use gorun::http;
use gorun::net::TcpListener;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

/// What is wrong is written down here. The client only learns that something is.
fn failed(error: sqlx::Error) -> StatusCode {
    eprintln!("{error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn list(State(pool): State<SqlitePool>) -> Result<String, StatusCode> {
    let things = sqlx::query_as::<_, (i64, String)>("select id, what from things order by id");
    let mut text = String::new();
    for (id, what) in things.fetch_all(&pool).await.map_err(failed)? {
        writeln!(text, "{id}: {what}").expect("a string takes everything");
    }
    Ok(text)
}

/// If the client goes away meanwhile, its goroutine ends here, and the transaction is undone.
async fn add(State(pool): State<SqlitePool>, what: String) -> Result<String, StatusCode> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    let insert = sqlx::query("insert into things (what) values ($1)").bind(what.trim());
    let id = insert.execute(&mut *transaction).await.map_err(failed)?.last_insert_rowid();
    transaction.commit().await.map_err(failed)?;
    Ok(format!("{id}\n"))
}

async fn done(State(pool): State<SqlitePool>, Path(id): Path<i64>) -> Result<(), StatusCode> {
    let remove = sqlx::query("delete from things where id = $1").bind(id);
    match remove.execute(&pool).await.map_err(failed)?.rows_affected() {
        0 => Err(StatusCode::NOT_FOUND),
        _ => Ok(()),
    }
}

/// The pool needs a tokio runtime for its time limits.
#[gorun::main(tokio_runtime = 1)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().ok_or("usage: todo FILE [ADDRESS]")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    sqlx::query("create table if not exists things (id integer primary key, what text not null)")
        .execute(&pool)
        .await?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let router =
        Router::new().route("/", get(list).post(add)).route("/{id}", delete(done)).with_state(pool);
    Ok(http::serve(listener, router).await?)
}
