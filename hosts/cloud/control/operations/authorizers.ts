// Operations on custom authorizers: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, marker, pageSize, tags } from "./members.js";

const status = { type: "string", enum: ["ACTIVE", "INACTIVE"] } as const;
const authorizer = ({ authorizerName }: { authorizerName: string }) => [`authorizer/${authorizerName}`];
const changes = {
	tokenKeyName: forms.tokenKeyName,
	tokenSigningPublicKeys: { type: "map", key: forms.signingKeyName, value: forms.signingKey },
	status,
	enableCachingForHttp: boolean,
} as const;

export const authorizerOperations = {
	CreateAuthorizer: operation("POST /authorizer/{authorizerName}", {
		path: { authorizerName: forms.authorizerName },
		body: { ...changes, "authorizerFunctionArn*": forms.functionArn, signingDisabled: boolean, tags },
		resources: authorizer,
		handle: ({ authorizers }, input) => authorizers.createAuthorizer(input),
	}),
	DescribeAuthorizer: operation("GET /authorizer/{authorizerName}", {
		path: { authorizerName: forms.authorizerName },
		resources: authorizer,
		handle: ({ authorizers }, input) => authorizers.describeAuthorizer(input),
	}),
	UpdateAuthorizer: operation("PUT /authorizer/{authorizerName}", {
		path: { authorizerName: forms.authorizerName },
		body: { ...changes, authorizerFunctionArn: forms.functionArn },
		resources: authorizer,
		handle: ({ authorizers }, input) => authorizers.updateAuthorizer(input),
	}),
	DeleteAuthorizer: operation("DELETE /authorizer/{authorizerName}", {
		path: { authorizerName: forms.authorizerName },
		resources: authorizer,
		handle: ({ authorizers }, input) => authorizers.deleteAuthorizer(input),
	}),
	ListAuthorizers: operation("GET /authorizers", {
		query: { pageSize, marker, isAscendingOrder: boolean, status },
		handle: ({ authorizers }, input) => authorizers.listAuthorizers(input),
	}),
	SetDefaultAuthorizer: operation("POST /default-authorizer", {
		body: { "authorizerName*": forms.authorizerName },
		resources: authorizer,
		handle: ({ authorizers }, input) => authorizers.setDefaultAuthorizer(input),
	}),
	ClearDefaultAuthorizer: operation("DELETE /default-authorizer", {
		handle: ({ authorizers }) => authorizers.clearDefaultAuthorizer(),
	}),
	DescribeDefaultAuthorizer: operation("GET /default-authorizer", {
		handle: ({ authorizers }) => authorizers.describeDefaultAuthorizer(),
	}),
	TestInvokeAuthorizer: operation("POST /authorizer/{authorizerName}/test", {
		path: { authorizerName: forms.authorizerName },
		body: {
			token: forms.token,
			tokenSignature: forms.tokenSignature,
			httpContext: {
				type: "structure",
				members: {
					headers: { type: "map", key: forms.httpHeader, value: forms.httpHeader },
					queryString: { ...forms.httpHeader, max: 4_096 },
				},
			},
			mqttContext: {
				type: "structure",
				members: {
					username: { ...forms.mqttText, min: 0 },
					password: { ...forms.mqttText, max: 87_384 },
					clientId: forms.mqttText,
				},
			},
			tlsContext: { type: "structure", members: { serverName: { type: "string", min: 1, max: 253 } } },
		},
		resources: authorizer,
		handle: ({ authorizers }, input) => authorizers.testInvokeAuthorizer(input),
	}),
};
