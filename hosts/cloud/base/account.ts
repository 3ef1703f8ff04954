// Which accounts and regions there are, as far as their form tells. Must never know a list of regions: AWS adds some every year.

const ACCOUNT_ID = /^\d{12}$/;
const REGION = /^[a-z]{2}(-[a-z]+)+-\d$/;
/** Regions in parts of AWS whose ARNs do not begin with `arn:aws:`. */
const OTHER_PARTITION = /^(cn|us-gov|us-iso)/;

/** What is wrong with an account's id, in words; `undefined` when nothing is. */
export function accountProblem(accountId: unknown): string | undefined {
	return typeof accountId === "string" && ACCOUNT_ID.test(accountId)
		? undefined
		: "the 12 digits of an account's id, without dashes";
}

/** What is wrong with a region, in words; `undefined` when nothing is. */
export function regionProblem(region: unknown): string | undefined {
	if (typeof region !== "string" || !REGION.test(region)) return "the code of an AWS region";
	return OTHER_PARTITION.test(region)
		? "a region outside China, GovCloud and the other parts of AWS whose ARNs do not begin with arn:aws:"
		: undefined;
}

/** @throws TypeError that says what an account or a region must be */
export function checkAccount({ accountId, region }: { readonly accountId?: unknown; readonly region?: unknown }): void {
	const [problem, what] =
		accountId !== undefined && accountProblem(accountId) !== undefined
			? [accountProblem(accountId), "accountId"]
			: [region === undefined ? undefined : regionProblem(region), "region"];
	if (problem !== undefined) throw new TypeError(`${what} must be ${problem}.`);
}
