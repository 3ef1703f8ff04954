// Reads what tap prints (TAP 14, a line at a time) and says it short: a line for each file, what failed with its diagnostics,
// what the tests had to say, and at the end what was skipped and why, and what was left out. Never leaves one of these out.

/** A test counts as one, whatever number of assertions it holds. */
export const counts = ({ passed, failed, skipped }) =>
	`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;

const sum = (all) => {
	const totals = { passed: 0, failed: 0, skipped: 0 };
	for (const one of all) for (const key of Object.keys(totals)) totals[key] += one[key];
	return totals;
};

/** Comments of tap itself. */
const CHATTER = /^# (Subtest: |time=|\{ |No coverage)/;
/** What a test says that played a sample of its set only (test/support/sample.ts). */
const LEFT_OUT = /^left out: (\d+) of (\d+) cases: (.*)/;
/** tap's reason for tests whose name was not asked for: they are no part of this run. */
const FILTERED = /^filter/;
/** `ok 1 - name # SKIP reason # time=1.5ms {` */
const POINT = /^(ok|not ok) \d+(?: - (.*?))??(?: # (SKIP|TODO)\b ?(.*?))?(?: # time=([\d.]+)ms)?(?: \{)?$/i;

export class Report {
	totals = sum([]);
	#print;
	/** By depth: test points whose parent has not come yet (a parent comes after its children). */
	#waiting = [];
	/** By depth: the name of a subtest that has begun. */
	#begun = [];
	#comments = [];
	#leftOut = [];
	/** What tests of this file leave out: how many cases, of how many, in which test. */
	#leftOutHere = [];
	/** By reason: the skipped tests, each with the tests around it. */
	#skipped = new Map();
	/** The last test point, to which diagnostics belong, and how far they are indented while they are being read. */
	#last;
	#indent;
	/** Whether a test of this file was not asked for. */
	#filtered = false;
	/** A file that has ended but for its diagnostics. */
	#file;

	/** `print` takes each line. */
	constructor(print) {
		this.#print = print;
	}

	/** Takes a line of TAP. What is none is something that a test printed, and passed on. */
	read(text) {
		const indent = /^ */.exec(text)[0].length;
		const line = text.slice(indent);
		if (this.#indent !== undefined) {
			if (indent === this.#indent && line === "...") this.#indent = undefined;
			else this.#last.diagnostics.push(text.slice(this.#indent));
			return;
		}
		if (line === "---" && this.#last !== undefined) {
			this.#indent = indent;
			return;
		}
		this.endFile();
		const depth = indent / 4;
		const point = POINT.exec(line);
		if (point !== null && Number.isInteger(depth)) this.#point(depth, point);
		else if (CHATTER.test(line)) this.#begun[depth] = /^# Subtest: (.*)/.exec(line)?.[1];
		else if (line.startsWith("# ")) this.#comment(line.slice(2));
		else if (!/^(TAP version 14|1\.\.\d+( # .*)?|\}|)$/.test(line)) this.#comments.push(line);
	}

	/** All has been read. `files` were not run. */
	end(files = []) {
		this.endFile();
		for (const comment of this.#comments) this.#print(comment);
		for (const [reason, tests] of this.#skipped)
			this.#print(`skipped: ${tests.length === 1 ? tests[0] : `${tests.length} tests`} (${reason})`);
		for (const file of files) this.#leftOut.push(`left out: the file ${file}`);
		for (const what of this.#leftOut) this.#print(what);
		if (this.#leftOut.length > 0) this.#print("npm run test:all leaves nothing out");
		else this.#print(`nothing is left out${this.#skipped.size === 0 ? "" : " but what was skipped"}`);
	}

	#comment(text) {
		const what = LEFT_OUT.exec(text);
		if (what === null) this.#comments.push(text);
		else this.#leftOutHere.push({ count: Number(what[1]), of: Number(what[2]), name: what[3] });
	}

	/** A line for what a file leaves out, however many of its tests do. */
	#sumLeftOut(file) {
		const all = this.#leftOutHere;
		this.#leftOutHere = [];
		if (all.length === 0) return;
		const total = (member) => all.reduce((sum, one) => sum + one[member], 0);
		const where = all.length === 1 ? `${file}: ${all[0].name}` : `${file}, in ${all.length} tests`;
		this.#leftOut.push(`left out: ${total("count")} of ${total("of")} cases: ${where}`);
	}

	#point(depth, [, ok, name = "", directive, reason, time]) {
		if (directive !== undefined && FILTERED.test(reason)) {
			this.#filtered = true;
			return;
		}
		const children = this.#waiting[depth + 1] ?? [];
		const isTest = depth === 0 || children.length > 0 || this.#begun[depth] === name || directive !== undefined;
		const point = { name, ok: ok === "ok", directive, reason, time, children, isTest, diagnostics: [] };
		this.#begun.length = depth;
		this.#waiting.length = depth + 1;
		if (depth === 0) this.#file = point;
		else {
			this.#waiting[depth] ??= [];
			this.#waiting[depth].push(point);
		}
		this.#last = point;
	}

	/** The diagnostics of a file, if it has any, have been read. */
	endFile() {
		const file = this.#file;
		if (file === undefined) return;
		this.#file = undefined;
		this.#waiting = [];
		const noneAskedFor = this.#filtered && file.ok && file.children.length === 0;
		this.#filtered = false;
		if (noneAskedFor) return;
		const totals = count(file);
		this.totals = sum([this.totals, totals]);
		const duration = file.time === undefined ? "" : ` (${(file.time / 1000).toFixed(1)} s)`;
		this.#print(`${totals.failed > 0 ? "FAILED" : "ok    "}  ${file.name}: ${counts(totals)}${duration}`);
		for (const comment of this.#comments) this.#print(`        ${comment}`);
		this.#comments = [];
		this.#sumLeftOut(file.name);
		this.#tell(file, []);
	}

	#skip(reason, test) {
		const tests = this.#skipped.get(reason) ?? [];
		this.#skipped.set(reason, [...tests, test]);
	}

	/** Prints what failed at or below a test point and notes what was skipped; `path`: the tests around it. */
	#tell({ name, ok, directive, reason, children, diagnostics }, path) {
		const full = [...path, name];
		const title = full.slice(1).join(" › ") || "the file itself";
		if (directive !== undefined) return this.#skip(reason || directive, `${full[0]}: ${title}`);
		for (const child of children) this.#tell(child, full);
		if (ok || children.some((child) => !child.ok && child.directive === undefined)) return;
		this.#print(`        FAILED: ${title}`);
		for (const line of diagnostics) this.#print(`            ${line}`);
	}
}

/** How many tests a test point stands for: those inside it, or itself when it holds nothing but assertions. */
function count({ ok, directive, children }) {
	if (directive !== undefined) return { passed: 0, failed: 0, skipped: 1 };
	const tests = children.filter(({ isTest }) => isTest);
	if (tests.length === 0) return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
	const inside = sum(tests.map(count));
	return !ok && inside.failed === 0 ? { ...inside, failed: 1 } : inside;
}
