//! Networks of goroutines that compute power series, as in `test/chan/powser1.go` and
//! `test/chan/powser2.go`: identities that hold only if each answer reaches the one who asked.
//!
//! The networks grow while they compute, and some contain circles, where a series is defined by
//! itself. An answer that is lost, or goes to somebody else, stops them or changes the result.

use gorun::num_goroutines;

use crate::WORKERS;
use crate::common::*;
use crate::series::*;

/// The first coefficients, zeros after the end.
async fn check<C: Coefficient>(
    what: &str,
    mut series: Series<C>,
    expected: impl IntoIterator<Item = Ratio>,
) {
    for (n, expected) in expected.into_iter().enumerate() {
        assert_eq!(series.next().await.unwrap_or(whole(0)), expected, "{what}, coefficient {n}");
    }
}

const N: i128 = 10;

fn only(n: i128) -> impl Iterator<Item = Ratio> {
    (0..N).map(move |i| whole((i == n).into()))
}

async fn check_all<C: Coefficient>() {
    let x = || polynomial::<C>(&[0, 1]);
    let ones = || constant::<C>(1);
    check("sum", sum(ones(), constant(2)), (0..N).map(|_| whole(3))).await;
    check("sum with an end", sum(ones(), x()), (0..N).map(|n| whole(1 + i128::from(n == 1)))).await;
    check("difference", sum(ones(), scale(whole(-1), ones())), only(-1)).await;
    check("derivative", derivative(ones()), (0..N).map(|n| whole(n + 1))).await;
    let harmonic = (0..N).map(|n| if n == 0 { whole(0) } else { ratio(1, n) });
    check("integral", integral(0, ones()), harmonic).await;
    check("product", product(ones(), ones()), (0..N).map(|n| whole(n + 1))).await;
    check("polynomials", product(polynomial::<C>(&[1, 1]), polynomial(&[1, -1])), {
        [1, 0, -1, 0, 0, 0].map(whole)
    })
    .await;
    check("reciprocal", reciprocal(polynomial::<C>(&[1, -1])), (0..N).map(|_| whole(1))).await;
    let (twos, again) = split(integral(2, ones()));
    check("product with the reciprocal", product(twos, reciprocal(again)), only(0)).await;

    // exp(x / (1 - x)): the n-th coefficient is a(n) / n!, where
    // a(n) = (2n - 1) a(n - 1) - (n - 1) (n - 2) a(n - 2).
    let mut a = vec![1, 1];
    let mut factorial = vec![1, 1];
    for n in 2..N {
        let (last, one_more) = (a[n as usize - 1], a[n as usize - 2]);
        a.push((2 * n - 1) * last - (n - 1) * (n - 2) * one_more);
        factorial.push(n * factorial[n as usize - 1]);
    }
    let expected = a.into_iter().zip(factorial).map(|(a, factorial)| ratio(a, factorial));
    check("exponential", exponential(after(whole(0), ones())), expected).await;
    let minus_x = scale(whole(-1), x());
    check("exp(x) exp(-x)", product(exponential(x()), exponential(minus_x)), only(0)).await;

    let odd = |n: i128| if n % 2 == 0 { whole(0) } else { ratio(2 - n % 4, n) };
    check("arc tangent", arc_tangent::<C>(), (0..N).map(odd)).await;
    let squared = substitute(ones(), polynomial(&[0, 0, -1]));
    check("arc tangent by substitution", integral(0, squared), (0..N).map(odd)).await;
    let tan =
        [(0, 1), (1, 1), (0, 1), (1, 3), (0, 1), (2, 15), (0, 1), (17, 315), (0, 1), (62, 2835)];
    check("tangent", tangent::<C>(), tan.map(|(a, b)| ratio(a, b))).await;
    check("tan(atan(x))", substitute(tangent(), arc_tangent::<C>()), only(1).take(7)).await;
}

/// `test/chan/powser1.go`.
#[test]
pub(crate) fn answers_in_a_network_that_grows_reach_those_who_asked() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, check_all::<Ratio>());
    }
}

/// `test/chan/powser2.go`: the same with boxes in the channels, of which none may be mistaken for
/// another.
#[test]
pub(crate) fn boxed_answers_in_a_network_that_grows_reach_those_who_asked() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, check_all::<Box<dyn Look>>());
    }
}

/// Go's programs end by leaving their goroutines behind. Here a network without circles is gone when
/// nobody can ask it any more.
#[test]
pub(crate) fn a_network_that_nobody_can_ask_any_more_ends() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let before = num_goroutines();
            let series = substitute(constant::<Ratio>(1), polynomial(&[0, 1, 1]));
            // The Fibonacci numbers.
            check("1 / (1 - x - x^2)", series, [1, 1, 2, 3, 5, 8, 13, 21].map(whole)).await;
            yield_until(|| num_goroutines() == before).await;
        });
    }
}
