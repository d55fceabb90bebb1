//! Power series whose coefficients goroutines ask each other for; after M. Douglas McIlroy, "Squinting
//! at Power Series".

use std::collections::VecDeque;
use std::future::Future;

use gorun::{Receiver, Sender, channel, go, select};

/// A fraction in lowest terms, the denominator positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    numerator: i128,
    denominator: i128,
}

pub(crate) fn ratio(numerator: i128, denominator: i128) -> Ratio {
    let (mut a, mut b) = (numerator.abs(), denominator.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let unit = a * denominator.signum();
    Ratio { numerator: numerator / unit, denominator: denominator / unit }
}

pub(crate) fn whole(number: i128) -> Ratio {
    ratio(number, 1)
}

impl Ratio {
    fn plus(self, other: Ratio) -> Ratio {
        ratio(
            self.numerator * other.denominator + other.numerator * self.denominator,
            self.denominator * other.denominator,
        )
    }

    fn times(self, other: Ratio) -> Ratio {
        ratio(self.numerator * other.numerator, self.denominator * other.denominator)
    }

    fn inverse(self) -> Ratio {
        ratio(self.denominator, self.numerator)
    }

    fn minus(self) -> Ratio {
        ratio(-self.numerator, self.denominator)
    }
}

/// What goes through the channels: a ratio, in one form or another.
pub(crate) trait Coefficient: Send + 'static {
    fn from_ratio(ratio: Ratio) -> Self;
    fn to_ratio(&self) -> Ratio;
}

impl Coefficient for Ratio {
    fn from_ratio(ratio: Ratio) -> Self {
        ratio
    }

    fn to_ratio(&self) -> Ratio {
        *self
    }
}

pub(crate) trait Look: Send {
    fn look(&self) -> Ratio;
}

impl Look for Ratio {
    fn look(&self) -> Ratio {
        *self
    }
}

impl Coefficient for Box<dyn Look> {
    fn from_ratio(ratio: Ratio) -> Self {
        Box::new(ratio)
    }

    fn to_ratio(&self) -> Ratio {
        self.look()
    }
}

/// A question is a channel for the answer. One that is dropped says that there are no more.
pub(crate) type Question<C> = Sender<C>;

/// A power series: ask for its coefficients, one after the other. Once nobody can ask any more, the
/// goroutine that answers ends.
pub(crate) struct Series<C> {
    questions: Sender<Question<C>>,
}

impl<C: Coefficient> Series<C> {
    /// The series whose questions `answer` answers.
    fn by<F>(answer: impl FnOnce(Questions<C>) -> F) -> Self
    where
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let (questions, receiver) = channel(0);
        let answers = answer(Questions(receiver));
        go!(async move {
            answers.await;
        });
        Series { questions }
    }

    async fn ask(&self) -> Receiver<C> {
        let (question, answer) = channel(1);
        // If it fails the question is dropped, which is an answer.
        let _ = self.questions.send(question).await;
        answer
    }

    pub(crate) async fn next(&mut self) -> Option<Ratio> {
        self.ask().await.recv().await.map(|coefficient| coefficient.to_ratio())
    }
}

pub(crate) struct Questions<C>(Receiver<Question<C>>);

impl<C: Coefficient> Questions<C> {
    /// `None` if nobody asks any more.
    async fn next(&self) -> Option<Question<C>> {
        self.0.recv().await
    }

    async fn answer(&self, value: Ratio) -> Option<()> {
        self.next().await?.send(C::from_ratio(value)).await.ok()
    }

    /// From now on the answers are those of another series.
    async fn pass_on(&self, mut series: Series<C>) -> Option<()> {
        loop {
            let question = self.next().await?;
            question.send(C::from_ratio(series.next().await?)).await.ok()?;
        }
    }
}

/// The next coefficients of two series, asked for at the same time, answered in any order.
pub(crate) async fn next_of_both<C: Coefficient>(
    a: &mut Series<C>,
    b: &mut Series<C>,
) -> (Option<Ratio>, Option<Ratio>) {
    let ((a_question, a_answer), (b_question, b_answer)) = (channel(1), channel(1));
    let (mut ask_a, mut ask_b) = (Some(a_question), Some(b_question));
    let (mut of_a, mut of_b) = (None, None);
    while of_a.is_none() || of_b.is_none() {
        let (to_a, to_b) = (ask_a.is_some(), ask_b.is_some());
        select! {
            _ = a.questions.send_from(&mut ask_a), if to_a => ask_a = None,
            _ = b.questions.send_from(&mut ask_b), if to_b => ask_b = None,
            answer = a_answer.recv(), if !to_a && of_a.is_none() => of_a = Some(answer),
            answer = b_answer.recv(), if !to_b && of_b.is_none() => of_b = Some(answer),
        }
    }
    let ratio = |answer: Option<Option<C>>| answer.flatten().map(|value| value.to_ratio());
    (ratio(of_a), ratio(of_b))
}

/// Two series like this one, which may be asked at different speeds. Neither waits for the other, so
/// that one of them may be needed to find out about the next coefficient of the other.
pub(crate) fn split<C: Coefficient>(source: Series<C>) -> (Series<C>, Series<C>) {
    let ((a, from_a), (b, from_b)) = (channel(0), channel(0));
    go!(async move {
        let readers = [from_a, from_b];
        let mut is_open = [true; 2];
        let mut waiting: [Option<Question<C>>; 2] = [None, None];
        let mut ahead = [VecDeque::new(), VecDeque::new()];
        let mut asked: Option<Receiver<C>> = None;
        let mut is_over = false;
        while is_open.contains(&true) {
            for reader in 0..2 {
                let Some(question) = waiting[reader].take() else { continue };
                if let Some(value) = ahead[reader].pop_front() {
                    let _ = question.send(C::from_ratio(value)).await;
                } else if !is_over {
                    waiting[reader] = Some(question);
                    if asked.is_none() {
                        asked = Some(source.ask().await);
                    }
                }
            }
            select! {
                question = readers[0].recv(), if is_open[0] && waiting[0].is_none() => {
                    is_open[0] = question.is_some();
                    waiting[0] = question;
                }
                question = readers[1].recv(), if is_open[1] && waiting[1].is_none() => {
                    is_open[1] = question.is_some();
                    waiting[1] = question;
                }
                answer = asked.as_ref().unwrap().recv(), if asked.is_some() => {
                    asked = None;
                    is_over = answer.is_none();
                    if let Some(answer) = answer {
                        ahead.iter_mut().for_each(|ahead| ahead.push_back(answer.to_ratio()));
                    }
                }
            }
        }
    });
    (Series { questions: a }, Series { questions: b })
}

/// The series that is defined by itself.
pub(crate) fn circle<C: Coefficient>(define: impl FnOnce(Series<C>) -> Series<C>) -> Series<C> {
    let (questions, receiver) = channel(0);
    let (inner, outer) = split(define(Series { questions }));
    go!(async move {
        Questions(receiver).pass_on(inner).await;
    });
    outer
}

pub(crate) fn polynomial<C: Coefficient>(coefficients: &'static [i128]) -> Series<C> {
    Series::by(|questions| async move {
        for &coefficient in coefficients {
            questions.answer(whole(coefficient)).await?;
        }
        None
    })
}

/// The same coefficient for ever.
pub(crate) fn constant<C: Coefficient>(value: i128) -> Series<C> {
    Series::by(move |questions| async move {
        loop {
            questions.answer(whole(value)).await?;
        }
    })
}

pub(crate) fn each<C: Coefficient>(
    mut u: Series<C>,
    change: impl Fn(i128, Ratio) -> Ratio + Send + Sync + 'static,
) -> Series<C> {
    Series::by(|questions| async move {
        for n in 0.. {
            let question = questions.next().await?;
            question.send(C::from_ratio(change(n, u.next().await?))).await.ok()?;
        }
        None
    })
}

pub(crate) fn scale<C: Coefficient>(factor: Ratio, u: Series<C>) -> Series<C> {
    each(u, move |_, value| value.times(factor))
}

/// first + x u
pub(crate) fn after<C: Coefficient>(first: Ratio, u: Series<C>) -> Series<C> {
    Series::by(move |questions| async move {
        questions.answer(first).await?;
        questions.pass_on(u).await
    })
}

pub(crate) fn sum<C: Coefficient>(mut u: Series<C>, mut v: Series<C>) -> Series<C> {
    Series::by(|questions| async move {
        loop {
            let question = questions.next().await?;
            let (value, rest) = match next_of_both(&mut u, &mut v).await {
                (Some(u), Some(v)) => {
                    question.send(C::from_ratio(u.plus(v))).await.ok()?;
                    continue;
                }
                (Some(value), None) => (value, u),
                (None, Some(value)) => (value, v),
                (None, None) => return None,
            };
            question.send(C::from_ratio(value)).await.ok()?;
            return questions.pass_on(rest).await;
        }
    })
}

/// (u + x U) V = u V + x (U V)
pub(crate) fn product<C: Coefficient>(mut u: Series<C>, v: Series<C>) -> Series<C> {
    Series::by(|questions| async move {
        let question = questions.next().await?;
        let first = u.next().await?;
        let (v, again) = split(v);
        let mut result = sum(scale(first, v), after(whole(0), product(u, again)));
        question.send(C::from_ratio(result.next().await?)).await.ok()?;
        questions.pass_on(result).await
    })
}

/// U(V), if V begins with 0: u + x V' U'(V), where u + x U' = U and x V' = V
pub(crate) fn substitute<C: Coefficient>(mut u: Series<C>, v: Series<C>) -> Series<C> {
    Series::by(|questions| async move {
        questions.answer(u.next().await?).await?;
        let (mut v, again) = split(v);
        assert_eq!(v.next().await, Some(whole(0)));
        questions.pass_on(product(v, substitute(u, again))).await
    })
}

pub(crate) fn derivative<C: Coefficient>(mut u: Series<C>) -> Series<C> {
    Series::by(|questions| async move {
        let question = questions.next().await?;
        u.next().await?;
        let mut rest = each(u, |n, value| value.times(whole(n + 1)));
        question.send(C::from_ratio(rest.next().await?)).await.ok()?;
        questions.pass_on(rest).await
    })
}

pub(crate) fn integral<C: Coefficient>(first: i128, u: Series<C>) -> Series<C> {
    after(whole(first), each(u, |n, value| value.times(ratio(1, n + 1))))
}

/// Z = z + x Z', where z = 1 / u and Z' = -z U' Z
pub(crate) fn reciprocal<C: Coefficient>(mut u: Series<C>) -> Series<C> {
    Series::by(|questions| async move {
        let question = questions.next().await?;
        let z = u.next().await?.inverse();
        question.send(C::from_ratio(z)).await.ok()?;
        let mut result = circle(|all| after(z, scale(z.minus(), product(u, all))));
        result.next().await?;
        questions.pass_on(result).await
    })
}

/// Z' = U' Z
pub(crate) fn exponential<C: Coefficient>(u: Series<C>) -> Series<C> {
    circle(|z| integral(1, product(derivative(u), z)))
}

/// The integral of 1 / (1 + x^2)
pub(crate) fn arc_tangent<C: Coefficient>() -> Series<C> {
    integral(0, reciprocal(polynomial(&[1, 0, 1])))
}

/// T' = 1 + T^2
pub(crate) fn tangent<C: Coefficient>() -> Series<C> {
    circle(|t| {
        let (t, again) = split(t);
        integral(0, sum(polynomial(&[1]), product(t, again)))
    })
}
