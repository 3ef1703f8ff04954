// The module that tls.ts writes for program.ts.

declare module "bench-tls/cases" {
	const cases: import("./cases.js").TlsCases;
	export default cases;
}
