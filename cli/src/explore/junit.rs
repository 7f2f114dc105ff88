//! Verdicts as JUnit XML, as CI systems read them: a suite for each subject, a test case for each property.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::output::Failure;

/// A subject.
pub(super) struct Suite<'a> {
    pub name: &'a str,
    pub cases: Vec<Case>,
}

/// What is judged of it.
pub(super) struct Case {
    pub name: String,
    pub fared: Fared,
    /// The verdict, and what was expected.
    pub message: String,
    /// A run that shows it, drawn.
    pub run: Option<String>,
}

/// How something fared.
pub(super) enum Fared {
    AsExpected,
    /// It does not speak of this system.
    NotAsked,
    Differs,
    Undecided,
}

/// The whole file. It has no times, so that the same verdicts are the same bytes.
pub(super) fn xml<'a>(suites: impl Iterator<Item = Suite<'a>>) -> Result<String, Failure> {
    let mut report = Report::new("kmodcheck");
    for suite in suites {
        let mut of = TestSuite::new(suite.name);
        for case in suite.cases {
            let mut status = match case.fared {
                Fared::AsExpected => TestCaseStatus::success(),
                Fared::NotAsked => TestCaseStatus::skipped(),
                Fared::Differs => TestCaseStatus::non_success(NonSuccessKind::Failure),
                Fared::Undecided => TestCaseStatus::non_success(NonSuccessKind::Error),
            };
            match case.fared {
                Fared::AsExpected => {}
                Fared::NotAsked | Fared::Undecided => {
                    status.set_message(case.message);
                }
                Fared::Differs => {
                    status.set_message(case.message);
                    if let Some(run) = case.run {
                        status.set_description(run);
                    }
                }
            }
            let mut test = TestCase::new(case.name, status);
            test.set_classname(suite.name);
            of.add_test_case(test);
        }
        report.add_test_suite(of);
    }
    Ok(report.to_string()?)
}
