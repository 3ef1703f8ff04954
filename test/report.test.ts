// The runner's summary: no test, failure or skip that tap tells of may get lost in it.

import t from "tap";
import { counts, Report } from "./report.js";

/** What is printed for these lines of TAP, and the last line of the summary. */
function reported(tap: string): { printed: string; last: string } {
	const lines: string[] = [];
	const report = new Report((line) => lines.push(line));
	for (const line of tap.split("\n")) report.read(line);
	report.end();
	return { printed: lines.join("\n"), last: counts(report.totals) };
}

t.test("tests are counted, not their assertions", async (t) => {
	const { printed, last } = reported(`TAP version 14
# Subtest: a.test.ts
    # Subtest: outer
        # Subtest: first
            ok 1 - one
            ok 2 - two
            1..2
        ok 1 - first # time=1.5ms
        # Subtest: second
            1..0
        ok 2 - second # time=1ms
        1..2
    ok 1 - outer # time=3ms
    # 12 cases run
    1..1
ok 1 - a.test.ts # time=2345.6ms
1..1`);
	t.equal(last, "2 passed, 0 failed");
	t.match(printed, "ok      a.test.ts: 2 passed, 0 failed (2.3 s)");
	t.match(printed, "12 cases run", "and what the tests had to say is kept");
});

t.test("a skipped test is shown with its reason", async (t) => {
	const { printed, last } = reported(`# Subtest: a.test.ts
    ok 1 - in XS # SKIP no C compiler
    ok 2 - later # TODO
    1..2
ok 1 - a.test.ts # time=1ms`);
	t.equal(last, "0 passed, 0 failed, 2 skipped");
	t.match(printed, "skipped: a.test.ts: in XS (no C compiler)");
	t.match(printed, "skipped: a.test.ts: later (TODO)");
	t.match(printed, "nothing is left out but what was skipped");
});

t.test("tests that are skipped for one reason are one line", async (t) => {
	const { printed, last } = reported(`# Subtest: a.test.ts
    ok 1 - one # SKIP no C compiler
    ok 2 - two # SKIP no C compiler
    1..2
ok 1 - a.test.ts # time=1ms
# Subtest: b.test.ts
    ok 1 - three # SKIP no C compiler
    1..1
ok 2 - b.test.ts # time=1ms`);
	t.equal(last, "0 passed, 0 failed, 3 skipped");
	t.match(printed, "skipped: 3 tests (no C compiler)");
	t.equal(printed.split("no C compiler").length, 2, "said once");
});

t.test("what a test leaves out is said at the end, and how to have it", async (t) => {
	const { printed } = reported(`# Subtest: a.test.ts
    # Subtest: a long set
        # left out: 90 of 100 cases: a long set
        ok 1 - fine
        1..1
    ok 1 - a long set # time=1ms
    1..1
ok 1 - a.test.ts # time=1ms
# Subtest: b.test.ts
    ok 1 - fine
    1..1
ok 2 - b.test.ts # time=1ms`);
	t.match(
		printed,
		/b\.test\.ts.*\nleft out: 90 of 100 cases: a\.test\.ts: a long set\nnpm run test:all leaves nothing out$/,
	);
	t.match(reported("ok 1 - a.test.ts").printed, /\nnothing is left out$/);
	const lines: string[] = [];
	const report = new Report((line) => lines.push(line));
	report.read("ok 1 - a.test.ts");
	report.end(["b.long.test.ts"]);
	t.match(lines.join("\n"), /\nleft out: the file b\.long\.test\.ts\nnpm run test:all/, "whole files, too");
	const several = reported(`# Subtest: a.test.ts
    # left out: 90 of 100 cases: first
    # left out: 5 of 10 cases: second
    1..0
ok 1 - a.test.ts`);
	t.match(
		several.printed,
		/\nleft out: 95 of 110 cases: a\.test\.ts, in 2 tests\n/,
		"several tests of a file are one line",
	);
});

t.test("tests whose name was not asked for are no part of the run", async (t) => {
	const { printed, last } = reported(`# Subtest: a.test.ts
    ok 1 - one # SKIP filter: /two/
    # Subtest: two
        ok 1 - fine
        1..1
    ok 2 - two # time=1ms
    1..2
ok 1 - a.test.ts # time=1ms
# Subtest: b.test.ts
    ok 1 - three # SKIP filter: /two/
    1..1
ok 2 - b.test.ts # time=1ms`);
	t.equal(last, "1 passed, 0 failed");
	t.notMatch(printed, /skipped|b\.test/);
});

t.test("a failure is shown where it is, with its diagnostics", async (t) => {
	const { printed, last } = reported(`# Subtest: a.test.ts
    # Subtest: outer
        # Subtest: inner
            ok 1 - fine
            not ok 2 - is equal
              ---
              diff: |
                ok 3 - this is no test
              ...
            1..2
        not ok 1 - inner # time=1ms
        1..1
    not ok 1 - outer # time=1ms
    1..1
not ok 1 - a.test.ts # time=1ms
  ---
  exitCode: 1
  ...
# Subtest: b.test.ts
    ok 1 - an assertion outside of tests
    1..1
ok 2 - b.test.ts # time=1ms`);
	t.equal(last, "1 passed, 1 failed");
	t.match(printed, "FAILED: outer › inner › is equal");
	t.match(printed, "ok 3 - this is no test");
	t.notMatch(printed, "exitCode", "only where it happened");
});

t.test("a file that ends badly fails, though its tests passed", async (t) => {
	const { printed, last } = reported(`# Subtest: a.test.ts
    # Subtest: one
        ok 1 - fine
        1..1
    ok 1 - one # time=1ms
    1..1
not ok 1 - a.test.ts # time=1ms
  ---
  exitCode: 7
  ...`);
	t.equal(last, "1 passed, 1 failed");
	t.match(printed, /FAILED: the file itself\n\s+exitCode: 7/);
});
