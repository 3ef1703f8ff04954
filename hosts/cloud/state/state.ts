// Everything the local cloud remembers, as typed tables: in memory, and in a directory (LMDB) when one is given.
// A change is all or nothing, survives kill -9 from the moment its transaction returns, and is never readable by other users.

import { createHash, randomBytes, randomInt } from "node:crypto";
import { mkdirSync, realpathSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listen } from "../base/listen.js";
import type { JsonObject } from "../base/object.js";

/** Status of a certificate (API model, `CertificateStatus`). */
export type CertificateStatus =
	| "ACTIVE"
	| "INACTIVE"
	| "REVOKED"
	| "PENDING_TRANSFER"
	| "REGISTER_INACTIVE"
	| "PENDING_ACTIVATION";

/** A certificate known to the account. All times are ms since 1970. */
export interface CertificateRecord {
	/** Lower-case hex SHA-256 of the certificate's DER. */
	readonly certificateId: string;
	readonly certificatePem: string;
	readonly status: CertificateStatus;
	/** `SNI_ONLY` when registered without a CA. */
	readonly certificateMode: "DEFAULT" | "SNI_ONLY";
	readonly creationDate: number;
	readonly lastModifiedDate: number;
	readonly notBefore: number;
	readonly notAfter: number;
	readonly generationId: string;
	/** Grows with every change. */
	readonly customerVersion: number;
	/** The CA certificate it was registered with. */
	readonly caCertificateId?: string;
	/** Present on the temporary certificate of CreateProvisioningClaim: not listed, ends by itself. */
	readonly temporaryClaim?: { readonly templateName: string; readonly expiration: number };
}

/** A certificate ownership token; only its hash is kept. */
export interface TokenRecord {
	/** Hex SHA-256 of the token. */
	readonly hash: string;
	readonly certificateId: string;
	/** ms since 1970: from then on the token is refused and its certificate, when unused, deleted. */
	readonly deadline: number;
	readonly used?: true;
	/** What its certificate becomes, and when, ms since 1970. */
	readonly activation?: { readonly at: number; readonly status: "ACTIVE" | "INACTIVE" };
	/** Who asked for it. */
	readonly claimCertificateId: string;
	readonly clientId: string;
	readonly connectionId: string;
}

/** An IoT policy with its versions, oldest first. */
export interface PolicyRecord {
	readonly policyName: string;
	readonly defaultVersionId: number;
	readonly lastVersionId: number;
	readonly versions: readonly {
		readonly versionId: number;
		readonly policyDocument: string;
		readonly creationDate: number;
	}[];
	readonly creationDate: number;
	readonly lastModifiedDate: number;
	readonly generationId: string;
}

/** A policy attached to a target: the ARN of a certificate or of a thing group. */
export interface AttachmentRecord {
	readonly policyName: string;
	readonly target: string;
}

/** A thing. */
export interface ThingRecord {
	readonly thingName: string;
	readonly thingId: string;
	readonly thingTypeName?: string;
	readonly billingGroupName?: string;
	readonly attributes: Readonly<Record<string, string>>;
	/** Grows with every change, from 1. */
	readonly version: number;
}

/** A certificate attached to a thing. */
export interface ThingPrincipalRecord {
	readonly thingName: string;
	/** ARN of the certificate. */
	readonly principal: string;
	readonly thingPrincipalType: "EXCLUSIVE_THING" | "NON_EXCLUSIVE_THING";
}

/** A static thing group. */
export interface ThingGroupRecord {
	readonly thingGroupName: string;
	readonly thingGroupId: string;
	readonly parentGroupName?: string;
	readonly description?: string;
	readonly attributes: Readonly<Record<string, string>>;
	readonly creationDate: number;
	readonly version: number;
}

/** A thing's membership in a group. */
export interface GroupMemberRecord {
	readonly thingGroupName: string;
	readonly thingName: string;
}

/** A thing type. */
export interface ThingTypeRecord {
	readonly thingTypeName: string;
	readonly thingTypeId: string;
	readonly description?: string;
	readonly searchableAttributes: readonly string[];
	/** What of a thing goes along with messages of MQTT 5, as the API writes it. Kept, but not done. */
	readonly mqtt5Configuration?: object;
	readonly creationDate: number;
	/** Present when no new thing may be of it. */
	readonly deprecationDate?: number;
}

/** A billing group. */
export interface BillingGroupRecord {
	readonly billingGroupName: string;
	readonly billingGroupId: string;
	readonly description?: string;
	readonly creationDate: number;
	/** Grows with every change. Absent for 1. */
	readonly version?: number;
}

/** A pre-provisioning hook. `targetArn` is an ARN that stands for a URL or a command, or an http(s) URL itself. */
export interface ProvisioningHook {
	readonly payloadVersion?: string;
	readonly targetArn: string;
}

/** A provisioning template with its versions, oldest first. */
export interface TemplateRecord {
	readonly templateName: string;
	readonly description?: string;
	readonly enabled: boolean;
	readonly provisioningRoleArn: string;
	readonly preProvisioningHook?: ProvisioningHook;
	readonly type: "FLEET_PROVISIONING" | "JITP";
	readonly defaultVersionId: number;
	/** Numbers are not used again after a deletion. */
	readonly lastVersionId: number;
	readonly versions: readonly {
		readonly versionId: number;
		readonly templateBody: string;
		readonly creationDate: number;
	}[];
	readonly creationDate: number;
	readonly lastModifiedDate: number;
}

/** What a CA registers devices with: a template of the account, or one of its own. */
export interface RegistrationConfig {
	readonly templateName?: string;
	readonly templateBody?: string;
	readonly roleArn?: string;
}

/** A CA certificate of the customer's own. */
export interface CaCertificateRecord {
	/** Lower-case hex SHA-256 of the certificate's DER. */
	readonly certificateId: string;
	readonly certificatePem: string;
	readonly status: "ACTIVE" | "INACTIVE";
	readonly autoRegistrationStatus: "ENABLE" | "DISABLE";
	readonly registrationConfig?: RegistrationConfig;
	readonly certificateMode: "DEFAULT" | "SNI_ONLY";
	readonly creationDate: number;
	readonly lastModifiedDate: number;
	readonly customerVersion: number;
	readonly generationId: string;
}

/** What signs in place of the cloud. */
export interface CertificateProviderRecord {
	readonly certificateProviderName: string;
	readonly lambdaFunctionArn: string;
	readonly creationDate: number;
	readonly lastModifiedDate: number;
}

/** A custom authorizer. */
export interface AuthorizerRecord {
	readonly authorizerName: string;
	readonly authorizerFunctionArn: string;
	/** Under which name clients send the token. */
	readonly tokenKeyName?: string;
	/** PEM by name. */
	readonly tokenSigningPublicKeys: Readonly<Record<string, string>>;
	readonly status: "ACTIVE" | "INACTIVE";
	readonly signingDisabled: boolean;
	/** Kept, and nothing else: each request over HTTPS is decided anew. */
	readonly enableCachingForHttp: boolean;
	readonly creationDate: number;
	readonly lastModifiedDate: number;
	/** The one that is asked when a client names none. */
	readonly isDefault?: true;
}

/** Tags of the resource with this ARN. */
export interface TagsRecord {
	readonly arn: string;
	readonly tags: Readonly<Record<string, string>>;
}

/** A role of IAM. Nobody assumes it here. */
export interface RoleRecord {
	readonly roleName: string;
	/** Begins and ends with a slash. */
	readonly path: string;
	/** Says who may assume it. */
	readonly assumeRolePolicyDocument: string;
	readonly description?: string;
	/** Seconds. */
	readonly maxSessionDuration: number;
	/** ARNs of the attached policies. */
	readonly policyArns: readonly string[];
	readonly creationDate: number;
}

/** A topic rule. Nothing carries it out here. */
export interface TopicRuleRecord {
	readonly ruleName: string;
	readonly sql: string;
	/** As the API writes them. */
	readonly actions: readonly object[];
	readonly ruleDisabled: boolean;
	readonly awsIotSqlVersion: string;
	readonly description?: string;
	readonly errorAction?: object;
	readonly creationDate: number;
}

/** A role alias. Nothing uses it here. */
export interface RoleAliasRecord {
	readonly roleAlias: string;
	readonly roleArn: string;
	readonly credentialDurationSeconds: number;
	readonly creationDate: number;
	readonly lastModifiedDate: number;
}

/** A configuration of the whole account, such as that of logging. Nothing acts by it here. */
export interface ConfigurationRecord {
	/** `logging`, `events` or `indexing`. */
	readonly name: string;
	/** As the API writes it. */
	readonly value: object;
	readonly creationDate: number;
	readonly lastModifiedDate: number;
}

/** A persistent session of MQTT. */
export interface SessionRecord {
	readonly clientId: string;
	readonly subscriptions: readonly {
		/** The filter. */
		readonly topic: string;
		readonly qos: number;
		/** Options of MQTT 5. */
		readonly noLocal?: boolean;
		/** The same: whether the RETAIN flag stays as it was published. */
		readonly retainAsPublished?: boolean;
	}[];
	/** How long it outlives its connection, ms. */
	readonly keep: number;
	/** ms since 1970; absent while it is connected. */
	readonly endsAt?: number;
}

/** A message that waits for the client of a persistent session to acknowledge it. */
export interface QueuedRecord {
	readonly clientId: string;
	/** Grows from message to message. */
	readonly sequence: number;
	readonly topic: string;
	readonly payload: Uint8Array;
	readonly qos: number;
	/** The RETAIN flag that the client gets. */
	readonly retain?: boolean;
	/** What MQTT 5 passes on with it, encoded. */
	readonly properties?: Uint8Array;
	/** ms since 1970: from then on nobody gets it. */
	readonly expiresAt?: number;
	/** The filter of the shared subscription that it comes by. */
	readonly shared?: string;
}

/** A retained message. */
export interface RetainedRecord {
	readonly topic: string;
	readonly payload: Uint8Array;
	readonly qos: number;
	/** What MQTT 5 passes on with it, encoded. */
	readonly properties?: Uint8Array;
	/** ms since 1970: from then on nobody gets it. */
	readonly expiresAt?: number;
	/** ms since 1970; absent when it was stored by an earlier version of this program. */
	readonly lastModified?: number;
}

/** A device shadow. Its sections and their metadata are objects of JSON. */
export interface ShadowRecord {
	readonly thingName: string;
	/** Absent for the classic shadow. */
	readonly shadowName?: string;
	readonly desired?: JsonObject;
	readonly reported?: JsonObject;
	readonly metadata: { readonly desired?: JsonObject; readonly reported?: JsonObject };
	/** Grows with every update, and goes on from the old one when a shadow is made again soon after its deletion. */
	readonly version: number;
	/** ms since 1970; present when it has been deleted, and only its version is remembered. */
	readonly deletedAt?: number;
}

/** How fast a job's executions are queued (API model, `JobExecutionsRolloutConfig`). */
export interface RolloutConfig {
	readonly maximumPerMinute?: number;
	readonly exponentialRate?: {
		readonly baseRatePerMinute: number;
		readonly incrementFactor: number;
		readonly rateIncreaseCriteria: {
			readonly numberOfNotifiedThings?: number;
			readonly numberOfSucceededThings?: number;
		};
	};
}

/** When a job is canceled by itself (API model, `AbortConfig`). */
export interface AbortConfig {
	readonly criteriaList: readonly {
		readonly failureType: "FAILED" | "REJECTED" | "TIMED_OUT" | "ALL";
		readonly action: "CANCEL";
		readonly thresholdPercentage: number;
		readonly minNumberOfExecutedThings: number;
	}[];
}

/** How often an execution is tried again (API model, `JobExecutionsRetryConfig`). */
export interface RetryConfig {
	readonly criteriaList: readonly {
		readonly failureType: "FAILED" | "TIMED_OUT" | "ALL";
		readonly numberOfRetries: number;
	}[];
}

/** A job. All times are ms since 1970. */
export interface JobRecord {
	readonly jobId: string;
	/** ARNs of things and thing groups. */
	readonly targets: readonly string[];
	readonly targetSelection: "SNAPSHOT" | "CONTINUOUS";
	/** JSON. */
	readonly document: string;
	readonly description?: string;
	readonly status: "IN_PROGRESS" | "CANCELED" | "COMPLETED";
	readonly forceCanceled?: true;
	readonly reasonCode?: string;
	readonly comment?: string;
	readonly createdAt: number;
	readonly lastUpdatedAt: number;
	readonly completedAt?: number;
	/** Kept, but of no effect: there is no Amazon S3 here. */
	readonly presignedUrlConfig?: { readonly roleArn?: string; readonly expiresInSec?: number };
	readonly jobExecutionsRolloutConfig?: RolloutConfig;
	readonly abortConfig?: AbortConfig;
	readonly timeoutConfig?: { readonly inProgressTimeoutInMinutes?: number };
	readonly jobExecutionsRetryConfig?: RetryConfig;
	/** Names of things whose executions are not queued yet. */
	readonly waiting: readonly string[];
	/** How many executions were queued by the rollout. */
	readonly notified: number;
	readonly nextRolloutAt: number;
}

/** Status of a job execution (API model, `JobExecutionStatus`). */
export type JobExecutionStatus =
	| "QUEUED"
	| "IN_PROGRESS"
	| "SUCCEEDED"
	| "FAILED"
	| "TIMED_OUT"
	| "REJECTED"
	| "REMOVED"
	| "CANCELED";

/** One attempt of a thing at a job. All times are ms since 1970. */
export interface JobExecutionRecord {
	readonly jobId: string;
	readonly thingName: string;
	/** From 1, for each thing and job. */
	readonly executionNumber: number;
	readonly status: JobExecutionStatus;
	readonly statusDetails?: Readonly<Record<string, string>>;
	readonly forceCanceled?: true;
	readonly queuedAt: number;
	readonly startedAt?: number;
	readonly lastUpdatedAt: number;
	/** Grows with every change, from 1. */
	readonly versionNumber: number;
	/** 0 for the first attempt. */
	readonly retryAttempt: number;
	/** Grows from execution to execution of the account: the order in which they were queued. */
	readonly sequence: number;
	/** When the in-progress timer expires. */
	readonly timeoutAt?: number;
	/** When the step timer expires. */
	readonly stepTimeoutAt?: number;
}

/** The account. Made up on first use and kept. */
export interface AccountRecord {
	readonly accountId: string;
	readonly region: string;
	/** First label of the data endpoint, before `-ats`. */
	readonly endpointPrefix: string;
	/** What a verification certificate of a CA must name. */
	readonly registrationCode?: string;
}

/** A certificate authority or server identity of this cloud: private key and certificate as PEM. */
export interface IdentityRecord {
	readonly name: string;
	readonly privateKeyPem: string;
	readonly certificatePem: string;
}

/** Changes to the settings that were made while the cloud ran: a `SettingsPatch`. */
export interface SettingsRecord {
	readonly patch: object;
}

/** One row that a transaction has changed; `row` is absent when it was deleted. */
export interface Change {
	readonly table: string;
	readonly key: string;
	readonly row?: object;
}

interface JournalEntry {
	readonly change: Change;
	readonly before: object | undefined;
}

/** Rows of one kind by key, with lookups by indexes. Rows are values: they are replaced, never changed. */
export class Table<T extends object, I extends string = never> {
	readonly #name: string;
	readonly #rows = new Map<string, T>();
	readonly #indexes: ReadonlyMap<I, { readonly of: (row: T) => string; readonly keys: Map<string, Set<string>> }>;
	readonly #changing: (change: Change, before: T | undefined) => void;

	constructor(
		name: string,
		indexes: Readonly<Record<I, (row: T) => string>>,
		changing: (change: Change, before: T | undefined) => void,
	) {
		this.#name = name;
		this.#indexes = new Map(
			(Object.entries(indexes) as [I, (row: T) => string][]).map(([index, of]) => [index, { of, keys: new Map() }]),
		);
		this.#changing = changing;
	}

	/** Number of rows. */
	get size(): number {
		return this.#rows.size;
	}

	/** The row with this key. */
	get(key: string): T | undefined {
		return this.#rows.get(key);
	}

	/** Whether there is a row with this key. */
	has(key: string): boolean {
		return this.#rows.has(key);
	}

	/** All keys, oldest first. */
	keys(): IterableIterator<string> {
		return this.#rows.keys();
	}

	/** All rows, oldest first. */
	values(): IterableIterator<T> {
		return this.#rows.values();
	}

	/** All keys with their rows, oldest first. */
	entries(): IterableIterator<[string, T]> {
		return this.#rows.entries();
	}

	/** The rows for which the index gives `value`, oldest first. */
	by(index: I, value: string): T[] {
		const keys = this.#indexes.get(index)?.keys.get(value) ?? [];
		return Array.from(keys, (key) => this.#rows.get(key)!);
	}

	/** Writes a row. @throws Error outside a transaction */
	put(key: string, row: T): void {
		this.#changing({ table: this.#name, key, row }, this.#rows.get(key));
		this.restore(key, row);
	}

	/** Deletes a row. Not an error when there is none. @throws Error outside a transaction */
	delete(key: string): void {
		const before = this.#rows.get(key);
		if (before === undefined) return;
		this.#changing({ table: this.#name, key }, before);
		this.restore(key, undefined);
	}

	/** Sets a row as it was read from disk, or as it was before a transaction that failed. For `State` alone. */
	restore(key: string, row: T | undefined): void {
		const before = this.#rows.get(key);
		for (const { of, keys } of this.#indexes.values()) {
			if (before !== undefined) {
				const value = of(before);
				const set = keys.get(value);
				set?.delete(key);
				if (set?.size === 0) keys.delete(value);
			}
			if (row !== undefined) {
				const value = of(row);
				const set = keys.get(value);
				if (set) set.add(key);
				else keys.set(value, new Set([key]));
			}
		}
		if (row === undefined) this.#rows.delete(key);
		else this.#rows.set(key, row);
	}
}

/** All rows by table and key, as they were at one moment. */
export type Snapshot = ReadonlyMap<string, ReadonlyMap<string, object>>;

/** How to open a state. */
export interface StateOptions {
	/** Created when it does not exist, for its owner alone. Without it, the state is in memory only. */
	readonly directory?: string;
	/** 12 digits; made up on first use when not given. A directory keeps what it was made with. */
	readonly accountId?: string;
	/** Default `us-east-1`. A directory keeps what it was made with. */
	readonly region?: string;
}

/** A directory was made for another account or region than the one that is asked for. */
export class OtherAccountError extends Error {
	override readonly name = "OtherAccountError";
}

/** Another process has this directory open. */
export class StateInUseError extends Error {
	override readonly name = "StateInUseError";
}

/**
 * What a state needs of the database that keeps its rows on disk. It is described here so that programs which use the types of
 * the local cloud need not compile those of LMDB.
 */
export interface Database {
	/** All rows. A key is the name of a table and the key in that table. */
	getRange(): Iterable<{ readonly key: string[]; readonly value: object }>;
	/** Runs `work` and commits all changes it makes, or none when it throws. */
	transactionSync(work: () => void): unknown;
	/** Stores a row. */
	putSync(key: string[], row: object): unknown;
	/** Deletes a row. */
	removeSync(key: string[]): unknown;
	/** Flushes and closes the files. */
	close(): Promise<void>;
}

/** The tables and their transactions. Open one with `openState`. */
export class State {
	readonly #tables = new Map<string, Table<object, string>>();
	readonly #listeners = new Set<(changes: readonly Change[]) => void>();
	readonly #release: () => Promise<void>;
	readonly #database: Database | undefined;
	#journal: JournalEntry[] | undefined;
	#closed = false;
	readonly #soon: (() => void)[] = [];
	#storing: Promise<void> | undefined;

	readonly accounts = this.#table<AccountRecord>("accounts", {});
	readonly identities = this.#table<IdentityRecord>("identities", {});
	readonly certificates = this.#table<CertificateRecord, "temporaryClaim">("certificates", {
		temporaryClaim: (row) => (row.temporaryClaim ? "yes" : "no"),
	});
	readonly tokens = this.#table<TokenRecord, "certificateId">("tokens", { certificateId: (row) => row.certificateId });
	readonly policies = this.#table<PolicyRecord>("policies", {});
	readonly attachments = this.#table<AttachmentRecord, "policyName" | "target">("attachments", {
		policyName: (row) => row.policyName,
		target: (row) => row.target,
	});
	readonly things = this.#table<ThingRecord>("things", {});
	readonly thingPrincipals = this.#table<ThingPrincipalRecord, "thingName" | "principal">("thingPrincipals", {
		thingName: (row) => row.thingName,
		principal: (row) => row.principal,
	});
	readonly thingGroups = this.#table<ThingGroupRecord>("thingGroups", {});
	readonly groupMembers = this.#table<GroupMemberRecord, "thingGroupName" | "thingName">("groupMembers", {
		thingGroupName: (row) => row.thingGroupName,
		thingName: (row) => row.thingName,
	});
	readonly thingTypes = this.#table<ThingTypeRecord>("thingTypes", {});
	readonly billingGroups = this.#table<BillingGroupRecord>("billingGroups", {});
	readonly templates = this.#table<TemplateRecord>("templates", {});
	readonly caCertificates = this.#table<CaCertificateRecord>("caCertificates", {});
	readonly certificateProviders = this.#table<CertificateProviderRecord>("certificateProviders", {});
	readonly authorizers = this.#table<AuthorizerRecord>("authorizers", {});
	readonly tags = this.#table<TagsRecord>("tags", {});
	readonly settings = this.#table<SettingsRecord>("settings", {});
	readonly sessions = this.#table<SessionRecord>("sessions", {});
	readonly queued = this.#table<QueuedRecord>("queued", {});
	readonly retained = this.#table<RetainedRecord>("retained", {});
	readonly roles = this.#table<RoleRecord>("roles", {});
	readonly jobs = this.#table<JobRecord, "rollingOut" | "continuous">("jobs", {
		rollingOut: (row) => (row.status === "IN_PROGRESS" && row.waiting.length > 0 ? "yes" : "no"),
		continuous: (row) => (row.status === "IN_PROGRESS" && row.targetSelection === "CONTINUOUS" ? "yes" : "no"),
	});
	readonly jobExecutions = this.#table<JobExecutionRecord, "jobId" | "thingName">("jobExecutions", {
		jobId: (row) => row.jobId,
		thingName: (row) => row.thingName,
	});
	readonly shadows = this.#table<ShadowRecord, "thingName">("shadows", { thingName: (row) => row.thingName });
	readonly topicRules = this.#table<TopicRuleRecord>("topicRules", {});
	readonly roleAliases = this.#table<RoleAliasRecord>("roleAliases", {});
	readonly configurations = this.#table<ConfigurationRecord>("configurations", {});

	/** For `openState` alone. */
	constructor(database: Database | undefined, release: () => Promise<void>) {
		this.#database = database;
		this.#release = release;
		for (const { key, value } of database?.getRange() ?? []) {
			this.#tables.get(key[0]!)?.restore(key[1]!, renamed(value, kept) as object);
		}
	}

	/** The one row of `accounts`. */
	get account(): AccountRecord {
		return this.accounts.get("account")!;
	}

	/**
	 * Runs `work`. When it throws, nothing has changed; when it returns, everything has, on disk as well.
	 * Within another transaction it is part of that one. `work` must not wait for anything.
	 */
	transaction<T>(work: () => T): T {
		if (this.#closed) throw new Error("The state is closed.");
		if (this.#journal) return work();
		const journal: JournalEntry[] = [];
		this.#journal = journal;
		let result: T;
		try {
			result = work();
			if (this.#database && journal.length > 0) this.#write(this.#database, journal);
		} catch (error) {
			for (const { change, before } of journal.reverse()) {
				this.#tables.get(change.table)!.restore(change.key, before);
			}
			throw error;
		} finally {
			this.#journal = undefined;
		}
		if (journal.length > 0) {
			const changes = journal.map(({ change }) => change);
			for (const listener of this.#listeners) listener(changes);
		}
		return result;
	}

	/**
	 * Runs `work` in one transaction with everything else that is passed here in this turn of the event loop, so that many small
	 * changes cost one commit. Without a directory it runs at once. Resolves when the changes are on disk; when that fails, it
	 * rejects for all of them.
	 */
	soon(work: () => void): Promise<void> {
		if (this.#database) this.#soon.push(work);
		else this.transaction(work);
		return this.stored();
	}

	/** Resolves when everything that was passed to `soon` so far is on disk. What failed is tried again. */
	stored(): Promise<void> {
		if (this.#soon.length === 0) return Promise.resolve();
		this.#storing ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
			this.#storing = undefined;
			const works = this.#soon.splice(0);
			try {
				this.transaction(() => {
					for (const work of works) work();
				});
			} catch (error) {
				this.#soon.unshift(...works);
				throw error;
			}
		});
		return this.#storing;
	}

	/** All rows as they are now, for `restore`. Costs a reference for each row, since rows are never changed. */
	snapshot(): Snapshot {
		return new Map([...this.#tables].map(([name, table]) => [name, new Map(table.entries())]));
	}

	/** Makes all rows what they were in a snapshot, in one transaction. Keys and certificates of the cloud's own stay. */
	restore(snapshot: Snapshot): void {
		this.transaction(() => {
			for (const [name, table] of this.#tables) {
				if (table === (this.identities as unknown)) continue;
				const rows = snapshot.get(name)!;
				// A map may lose entries while it is walked through.
				for (const [key, row] of table.entries()) if (rows.get(key) !== row) table.delete(key);
				if (table.size === rows.size) continue;
				for (const [key, row] of rows) if (!table.has(key)) table.put(key, row);
			}
		});
	}

	/** Calls `listener` after every transaction that changed something. Returns a function that ends the calls. */
	onChange(listener: (changes: readonly Change[]) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Flushes, and releases the directory. */
	async close(): Promise<void> {
		if (this.#closed) return;
		await this.stored().catch(() => {});
		this.#closed = true;
		await this.#database?.close();
		await this.#release();
	}

	#write(database: Database, journal: readonly JournalEntry[]): void {
		database.transactionSync(() => {
			for (const { change } of journal) {
				const key = [change.table, change.key];
				if (change.row) database.putSync(key, renamed(change.row, escaped) as object);
				else database.removeSync(key);
			}
		});
	}

	#table<T extends object, I extends string = never>(name: string, indexes: Readonly<Record<I, (row: T) => string>>) {
		const table = new Table<T, I>(name, indexes, (change, before) => {
			if (!this.#journal) throw new Error("A change outside a transaction.");
			this.#journal.push({ change, before });
		});
		this.#tables.set(name, table as unknown as Table<object, string>);
		return table;
	}
}

/**
 * A copy of a row in which `rename` has named each member. MessagePack's decoder makes `__proto__` into `__proto_`, but it is a
 * name of an attribute, a tag or a hook's target like any other: on disk it has a backslash before it, which those never begin with.
 */
function renamed(value: unknown, rename: (name: string) => string): unknown {
	if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
	if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
	return Object.fromEntries(Object.entries(value).map(([name, member]) => [rename(name), renamed(member, rename)]));
}

const escaped = (name: string): string => (name === "__proto__" || name.startsWith("\\") ? `\\${name}` : name);
const kept = (name: string): string => (name.startsWith("\\") ? name.slice(1) : name);

/**
 * Opens the state, or creates it.
 * @throws StateInUseError when another process has the directory
 * @throws OtherAccountError when the directory was made for another account or region than is asked for
 */
export async function openState(options: StateOptions = {}): Promise<State> {
	const { directory } = options;
	let database: Database | undefined;
	let release = async () => {};
	if (directory !== undefined) {
		// A directory that existed before keeps its mode, since it may serve others, too. The files are for their owner alone.
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		release = await lock(directory);
		// Loaded only here: a state in memory does without.
		const { open } = await import("lmdb");
		const mask = process.umask(0o077);
		try {
			// Commits reach the operating system at once (safe against kill -9) and the disk soon after (overlappingSync).
			database = open({ path: join(directory, "state.mdb"), encoding: "msgpack", keyEncoding: "ordered-binary" });
		} catch (error) {
			await release();
			throw error;
		} finally {
			process.umask(mask);
		}
	}
	const state = new State(database, release);
	if (!state.accounts.has("account")) {
		state.transaction(() =>
			state.accounts.put("account", {
				accountId: options.accountId ?? String(randomInt(100_000_000_000, 1_000_000_000_000)),
				region: options.region ?? "us-east-1",
				endpointPrefix: `a${randomBytes(16).toString("hex").slice(0, 13)}`,
			}),
		);
	}
	const { accountId, region } = state.account;
	const { accountId: askedAccount = accountId, region: askedRegion = region } = options;
	if (askedAccount !== accountId || askedRegion !== region) {
		await state.close();
		throw new OtherAccountError(
			`The state directory ${directory} was made for account ${accountId} in ${region}, not for account ${askedAccount} in ` +
				`${askedRegion}: ask for what it was made for, or use another directory.`,
		);
	}
	return state;
}

/**
 * Locks a directory or a file for this process, by listening on a local socket named after it. The operating system closes the
 * socket however the process ends, so that kill -9 leaves no stale lock.
 * @throws StateInUseError when another process has it
 */
export async function lock(directory: string): Promise<() => Promise<void>> {
	const name = `fleet-cloud-${createHash("sha256").update(realpathSync(directory)).digest("hex").slice(0, 24)}`;
	// Linux has socket names outside the file system, which need no cleaning up; elsewhere it is a file.
	const path = process.platform === "linux" ? `\0${name}` : join(tmpdir(), `${name}.sock`);
	const server = createServer((socket) => socket.destroy());
	try {
		await listen(server, { path, exclusive: true });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
		if (path.startsWith("\0") || (await answers(path))) {
			throw new StateInUseError(`The state directory ${directory} is in use by another process.`);
		}
		rmSync(path, { force: true });
		await listen(server, { path, exclusive: true });
	}
	server.unref();
	return () => new Promise((resolve) => server.close(() => resolve()));
}

function answers(path: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = createConnection({ path });
		socket.once("connect", () => {
			socket.destroy();
			resolve(true);
		});
		socket.once("error", () => resolve(false));
	});
}
