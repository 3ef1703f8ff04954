// The form of each text that AWS IoT accepts: its length and its pattern, from the service's API model (version 2015-05-28). Both
// the control plane and the registry check texts against these.

/** A form of text, with lengths in characters. It also serves as the shape of a member in the control plane. */
export interface TextForm {
	readonly type: "string";
	readonly min?: number;
	readonly max?: number;
	/** As the API model writes it (a Java pattern); the whole text must match. */
	readonly pattern?: string;
}

const ANY_TEXT = "[\\s\\S]*";
const TAG_TEXT = "^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$";

/** The form of each kind of text. */
export const forms = {
	/** Names of things, thing groups, thing types and billing groups. */
	resourceName: { type: "string", min: 1, max: 128, pattern: "[a-zA-Z0-9:_-]+" },
	shadowName: { type: "string", min: 1, max: 64, pattern: "[$a-zA-Z0-9:_-]+" },
	jobId: { type: "string", min: 1, max: 64, pattern: "[a-zA-Z0-9_-]+" },
	jobDocument: { type: "string", max: 32_768 },
	/** Descriptions of jobs, and comments on them. */
	jobDescription: { type: "string", max: 2028, pattern: "[^\\p{C}]+" },
	reasonCode: { type: "string", max: 128, pattern: "[\\p{Upper}\\p{Digit}_]+" },
	detailsKey: { type: "string", min: 1, max: 128, pattern: "[a-zA-Z0-9:_-]+" },
	detailsValue: { type: "string", min: 1, pattern: "[^\\p{C}]+" },
	attributeName: { type: "string", max: 128, pattern: "[a-zA-Z0-9_.,@/:#-]+" },
	attributeValue: { type: "string", max: 800, pattern: "[a-zA-Z0-9_.,@/:#=\\[\\]-]*" },
	/** Descriptions of thing groups, thing types and billing groups. */
	longDescription: { type: "string", max: 2028, pattern: "[\\p{Graph}\\x20]*" },
	tagKey: { type: "string", min: 1, max: 128, pattern: TAG_TEXT },
	tagValue: { type: "string", min: 0, max: 256, pattern: TAG_TEXT },
	templateName: { type: "string", min: 1, max: 36, pattern: "^[0-9A-Za-z_-]+$" },
	templateBody: { type: "string", min: 0, max: 10_240, pattern: ANY_TEXT },
	/** Descriptions of templates. */
	description: { type: "string", min: 0, max: 500, pattern: "[^\\p{C}]*" },
	roleArn: { type: "string", min: 20, max: 2048 },
	hookPayloadVersion: { type: "string", min: 10, max: 32, pattern: "^[0-9-]+$" },
	hookTarget: { type: "string", max: 2048 },
	certificateId: { type: "string", min: 64, max: 64, pattern: "(0x)?[a-fA-F0-9]+" },
	/** Opaque, like the next one: it may hold key material by mistake, so it is never repeated in a message. */
	certificatePem: { type: "string", min: 1, max: 65_536, pattern: ANY_TEXT, opaque: true },
	certificateSigningRequest: { type: "string", min: 1, max: 4_096, pattern: ANY_TEXT, opaque: true },
	authorizerName: { type: "string", min: 1, max: 128, pattern: "[\\w=,@-]+" },
	/** ARNs of Lambda functions. */
	functionArn: { type: "string", max: 2048, pattern: ANY_TEXT },
	tokenKeyName: { type: "string", min: 1, max: 128, pattern: "[a-zA-Z0-9_-]+" },
	signingKeyName: { type: "string", min: 1, max: 128, pattern: "[a-zA-Z0-9:_-]+" },
	signingKey: { type: "string", max: 5_120, pattern: ANY_TEXT, opaque: true },
	/** Secret, like what follows. */
	token: { type: "string", min: 1, max: 6_144, pattern: ANY_TEXT, opaque: true },
	tokenSignature: { type: "string", min: 1, max: 2_560, pattern: "[A-Za-z0-9+/]+={0,2}", opaque: true },
	httpHeader: { type: "string", min: 1, max: 8_192, pattern: ANY_TEXT, opaque: true },
	mqttText: { type: "string", min: 1, max: 65_535, pattern: ANY_TEXT, opaque: true },
	clientToken: { type: "string", min: 36, max: 64, pattern: "^[a-zA-Z0-9-_]+$" },
	policyName: { type: "string", min: 1, max: 128, pattern: "[\\w+=,.@-]+" },
} as const;

/** Whether a value is text of this form. */
export function isOfForm(value: unknown, form: TextForm): value is string {
	const { min = 0, max = Number.POSITIVE_INFINITY, pattern = ANY_TEXT } = form;
	return typeof value === "string" && value.length >= min && value.length <= max && expressionOf(pattern).test(value);
}

const expressions = new Map<string, RegExp>();

/** The expression for a pattern of the API model. */
export function expressionOf(pattern: string): RegExp {
	let expression = expressions.get(pattern);
	if (!expression) {
		// Java's \p{Graph}, \p{Upper} and \p{Digit} are parts of ASCII; everything else that the model uses means the same here.
		const ascii = pattern
			.replace("\\p{Graph}", "\\x21-\\x7e")
			.replace("\\p{Upper}", "A-Z")
			.replace("\\p{Digit}", "0-9");
		expression = new RegExp(`^(?:${ascii})$`, "u");
		expressions.set(pattern, expression);
	}
	return expression;
}
