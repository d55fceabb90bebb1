//! `sqlx` with SQLite and with PostgreSQL, and `redis`.

use futures::StreamExt;
use futures::future::join_all;
use redis::AsyncCommands;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{PgPool, SqlitePool};

use super::bridged;
use super::common::*;
use super::servers::{self, Directory};

/// What both kinds of pools do.
macro_rules! use_pool {
    ($pool:expr, $pool_type:ty) => {{
        let pool: $pool_type = $pool;
        sqlx::query("create table accounts (name bigint primary key, balance bigint not null)")
            .execute(&pool)
            .await
            .unwrap();
        for name in 0..4_i64 {
            let add = sqlx::query("insert into accounts values ($1, 1000)").bind(name);
            add.execute(&pool).await.unwrap();
        }
        let transfers = (0..60_i64).map(|n| {
            let pool = pool.clone();
            gorun::spawn(async move {
                let mut transfer = pool.begin().await.unwrap();
                for (name, amount) in [(0, -n), (1, n)] {
                    let add = "update accounts set balance = balance + $1 where name = $2";
                    let add = sqlx::query(add).bind(amount).bind(name as i64);
                    add.execute(&mut *transfer).await.unwrap();
                    gorun::yield_now().await;
                }
                // Every third one changes its mind.
                if n % 3 == 0 {
                    transfer.rollback().await.unwrap();
                } else {
                    transfer.commit().await.unwrap();
                }
            })
        });
        join_all(transfers).await.into_iter().for_each(Result::unwrap);
        let moved: i64 = (0..60).filter(|n| n % 3 != 0).sum();
        let balance = |name: i64| {
            let pool = pool.clone();
            async move {
                let query = "select balance from accounts where name = $1";
                let query = sqlx::query_scalar::<_, i64>(query).bind(name);
                query.fetch_one(&pool).await.unwrap()
            }
        };
        assert_eq!(balance(0).await, 1000 - moved);
        assert_eq!(balance(1).await, 1000 + moved);

        // One that ends between its halves.
        let (begun, is_begun) = gorun::channel(0);
        let aborted = gorun::spawn({
            let pool = pool.clone();
            async move {
                let mut transfer = pool.begin().await.unwrap();
                let take = "update accounts set balance = 0 where name = 2";
                sqlx::query(take).execute(&mut *transfer).await.unwrap();
                begun.send(()).await.unwrap();
                std::future::pending::<()>().await
            }
        });
        is_begun.recv().await.unwrap();
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        assert_eq!(balance(2).await, 1000);
        pool
    }};
}

/// Aborts a goroutine between two rows. The pool's only connection then serves the next one.
macro_rules! abort_query {
    ($pool:expr, $rows:expr) => {{
        let pool = $pool;
        for _ in 0..10 {
            let (begun, is_begun) = gorun::channel(0);
            let aborted = gorun::spawn({
                let pool = pool.clone();
                async move {
                    let mut rows = sqlx::query_scalar::<_, i64>($rows).fetch(&pool);
                    for n in 1..=10 {
                        assert_eq!(rows.next().await.unwrap().unwrap(), n);
                    }
                    begun.send(()).await.unwrap();
                    while rows.next().await.is_some() {}
                }
            });
            is_begun.recv().await.unwrap();
            aborted.abort();
            let _ = aborted.await;
            let next = sqlx::query_scalar::<_, i64>("select $1").bind(42_i64);
            assert_eq!(next.fetch_one(&pool).await.unwrap(), 42);
        }
        pool.close().await;
    }};
}

#[test]
fn a_pool_of_sqlite_is_shared_and_survives_goroutines_that_are_aborted() {
    const ROWS: &str = "with recursive numbers (n) as (select 1 union all select n + 1 from numbers \
        where n < 20000) select n from numbers";
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let directory = Directory::new("sqlite");
        let options = SqliteConnectOptions::new()
            .filename(directory.0.join("data"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(HOUR);
        bridged(workers, async {
            let pool = SqlitePoolOptions::new().max_connections(4);
            let pool = use_pool!(pool.connect_with(options.clone()).await.unwrap(), SqlitePool);
            pool.close().await;
            let pool = SqlitePoolOptions::new().max_connections(1);
            abort_query!(pool.connect_with(options).await.unwrap(), ROWS);
        });
    }
}

#[test]
fn a_pool_of_postgresql_is_shared_and_survives_goroutines_that_are_aborted() {
    const ROWS: &str = "select generate_series(1, 20000)::bigint";
    let _watchdog = watchdog();
    let Some(server) = servers::postgres() else { return };
    for workers in super::WORKERS {
        let options = PgConnectOptions::new_without_pgpass();
        let options = options.socket(&server.directory.0).username("postgres");
        bridged(workers, async {
            let pool = PgPoolOptions::new().max_connections(4);
            let pool = pool.connect_with(options.clone()).await.unwrap();
            let pool = use_pool!(pool, PgPool);
            sqlx::query("drop table accounts").execute(&pool).await.unwrap();
            pool.close().await;
            let pool = PgPoolOptions::new().max_connections(1);
            abort_query!(pool.connect_with(options).await.unwrap(), ROWS);
        });
    }
}

#[test]
fn a_connection_to_redis_is_shared_and_survives_goroutines_that_are_aborted() {
    let _watchdog = watchdog();
    let Some(server) = servers::redis() else { return };
    let socket = server.directory.0.join("redis.sock");
    let client = redis::Client::open(format!("redis+unix://{}", socket.display())).unwrap();
    for workers in super::WORKERS {
        bridged(workers, async {
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let () = connection.del("count").await.unwrap();
            let adds = (0..100_u64).map(|n| {
                let mut connection = connection.clone();
                gorun::spawn(async move {
                    let () = connection.set(n, n * n).await.unwrap();
                    let () = connection.incr("count", 1).await.unwrap();
                    assert_eq!(connection.get::<_, u64>(n).await.unwrap(), n * n);
                })
            });
            join_all(adds).await.into_iter().for_each(Result::unwrap);
            assert_eq!(connection.get::<_, u64>("count").await.unwrap(), 100);

            // Their answers come all the same, and are nobody else's.
            for n in 0..100_u64 {
                let aborted = gorun::spawn({
                    let mut connection = connection.clone();
                    async move { connection.get::<_, u64>(n).await }
                });
                gorun::yield_now().await;
                aborted.abort();
                let next = 99 - n;
                assert_eq!(connection.get::<_, u64>(next).await.unwrap(), next * next);
            }

            let mut subscribed = client.get_async_pubsub().await.unwrap();
            subscribed.subscribe("news").await.unwrap();
            let heard = gorun::spawn(async move {
                let news = subscribed.on_message().take(3);
                news.map(|news| news.get_payload::<String>().unwrap()).collect::<Vec<_>>().await
            });
            for news in ["one", "two", "three"] {
                let () = connection.publish("news", news).await.unwrap();
            }
            assert_eq!(heard.await.unwrap(), ["one", "two", "three"]);
        });
    }
}
