// The errors of AWS IoT's control plane, as the registry throws them. A message never holds a key, a token or a PEM body.

/** Error types and their HTTP status, from the service's API model (throttling is 400, or 429 in the data planes, a broken limit 410, a wrong state 406). */
export const AWS_ERROR_STATUS = {
	InvalidRequestException: 400,
	InvalidResponseException: 400,
	RegistrationCodeValidationException: 400,
	ThrottlingException: 400,
	MalformedPolicyException: 400,
	CertificateValidationException: 400,
	SqlParseException: 400,
	ResourceRegistrationFailureException: 400,
	UnauthorizedException: 401,
	AccessDeniedException: 403,
	ResourceNotFoundException: 404,
	NotConfiguredException: 404,
	MethodNotAllowedException: 405,
	CertificateStateException: 406,
	CertificateConflictException: 409,
	ConflictException: 409,
	ConflictingResourceUpdateException: 409,
	DeleteConflictException: 409,
	ResourceAlreadyExistsException: 409,
	ResourceConflictsException: 409,
	VersionConflictException: 409,
	VersionsLimitExceededException: 409,
	InvalidStateTransitionException: 409,
	LimitExceededException: 410,
	TerminalStateException: 410,
	UnsupportedDocumentEncodingException: 415,
	InternalFailureException: 500,
	ServiceUnavailableException: 503,
	// Errors of the HTTP side, before any operation is called. AWS gives them these names for every service.
	SerializationException: 400,
	IncompleteSignatureException: 403,
	InvalidSignatureException: 403,
	MissingAuthenticationTokenException: 403,
	UnrecognizedClientException: 403,
	UnknownOperationException: 404,
	RequestTimeoutException: 408,
	RequestEntityTooLargeException: 413,
} as const;

/** Name of an error type of AWS IoT. */
export type AwsErrorName = keyof typeof AWS_ERROR_STATUS;

/** An error that AWS IoT answers with: its type, its HTTP status and a message for people. */
export class AwsError extends Error {
	/** AWS's name of the error. */
	override readonly name: AwsErrorName;
	/** HTTP status. */
	readonly status: number;
	/** Members that the error's body carries beside `message` (ResourceAlreadyExistsException: `resourceId`, `resourceArn`). */
	readonly members: Readonly<Record<string, string>>;

	/** The message must hold no key, no token and no PEM body. */
	constructor(name: AwsErrorName, message: string, members: Readonly<Record<string, string>> = {}) {
		super(message);
		this.name = name;
		this.status = AWS_ERROR_STATUS[name];
		this.members = members;
	}
}
