// Operations on role aliases: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, marker, pageSize, tags } from "./members.js";

const roleAlias = { type: "string", min: 1, max: 128, pattern: "[\\w=,@-]+" } as const;
const credentialDurationSeconds = { type: "integer", min: 900, max: 43_200 } as const;
const alias = ({ roleAlias }: { roleAlias: string }) => [`rolealias/${roleAlias}`];

export const roleAliasOperations = {
	CreateRoleAlias: operation("POST /role-aliases/{roleAlias}", {
		path: { roleAlias },
		body: { "roleArn*": forms.roleArn, credentialDurationSeconds, tags },
		idle: true,
		resources: alias,
		handle: ({ roleAliases }, input) => roleAliases.createRoleAlias(input),
	}),
	UpdateRoleAlias: operation("PUT /role-aliases/{roleAlias}", {
		path: { roleAlias },
		body: { roleArn: forms.roleArn, credentialDurationSeconds },
		idle: true,
		resources: alias,
		handle: ({ roleAliases }, input) => roleAliases.updateRoleAlias(input),
	}),
	DescribeRoleAlias: operation("GET /role-aliases/{roleAlias}", {
		path: { roleAlias },
		resources: alias,
		handle: ({ roleAliases }, input) => roleAliases.describeRoleAlias(input),
	}),
	ListRoleAliases: operation("GET /role-aliases", {
		query: { pageSize, marker, isAscendingOrder: boolean },
		handle: ({ roleAliases }, { isAscendingOrder = false, ...input }) =>
			roleAliases.listRoleAliases({ ...input, ascending: isAscendingOrder }),
	}),
	DeleteRoleAlias: operation("DELETE /role-aliases/{roleAlias}", {
		path: { roleAlias },
		resources: alias,
		handle: ({ roleAliases }, input) => roleAliases.deleteRoleAlias(input),
	}),
};
