// The API documentation (`npm run docs`, TypeDoc): every public symbol of the package's three entries, as HTML in build/api.
// Never lets a symbol through that is neither documented in its source nor, when AWS gave it its name, in members.ts.

import { fileURLToPath } from "node:url";
import {
	Application,
	Comment,
	Converter,
	type DeclarationReflection,
	type LogLevel,
	type ProjectReflection,
	ReflectionKind,
} from "typedoc";
import { failureWords } from "../../hosts/cli/failure-words.js";
import type { FailureCode } from "../../src/base/failure.js";
import { meaningOf } from "./members.js";

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

/** What the documentation is made of, before it is written. */
export interface Api {
	readonly application: Application;
	readonly project: ProjectReflection;
	/** Everything that is wrong with it: nothing may be. */
	readonly warnings: readonly string[];
	/** How many exports and members there are. */
	readonly symbols: number;
	/** Names of the symbols that have an `@example`. */
	readonly examples: ReadonlySet<string>;
}

/** Reads the sources, and says what is undocumented, unexported or linked to nothing. */
export async function readApi(): Promise<Api> {
	const application = await Application.bootstrap({
		name: "moddable-fleet-provisioning",
		entryPoints: ["hosts/cloud/index.ts", "src/index.ts", "hosts/node/index.ts"].map(path),
		tsconfig: path("tsconfig.build.json"),
		// `npm run check` has them.
		skipErrorChecking: true,
		readme: "none",
		disableSources: true,
		excludePrivate: true,
		excludeInternal: true,
		validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: true },
	});
	const warnings: string[] = [];
	application.logger.log = (message: string, _level: LogLevel) => {
		warnings.push(message);
	};
	application.logger.verbose = () => {};
	application.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
		for (const reflection of project.getReflectionsByKind(ReflectionKind.Property))
			describe(reflection as DeclarationReflection);
	});
	const project = await application.convert();
	if (project === undefined) throw new Error(`TypeDoc cannot read the sources:\n${warnings.join("\n")}`);
	application.validate(project);
	const symbols = project.getReflectionsByKind(ReflectionKind.SomeExport | ReflectionKind.SomeMember).length;
	const examples = project
		.getReflectionsByKind(ReflectionKind.All)
		.filter(({ comment }) => comment?.getTag("@example") !== undefined)
		.map(({ name }) => name);
	return { application, project, warnings, symbols, examples: new Set(examples) };
}

/** Gives a member the words that stand elsewhere: those of a failure, or those of a name that is AWS's. */
function describe(reflection: DeclarationReflection): void {
	if (reflection.hasComment()) return;
	const words =
		reflection.name in failureWords
			? `It means that ${failureWords[reflection.name as FailureCode].meaning}.`
			: meaningOf(reflection.name, reflection.getFullName());
	if (words !== undefined) reflection.comment = new Comment([{ kind: "text", text: words }]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { application, project, warnings, symbols } = await readApi();
	if (warnings.length > 0) {
		console.error(warnings.join("\n"));
		process.exit(1);
	}
	await application.generateDocs(project, path("build/api"));
	console.log(`${symbols} symbols documented in build/api: open build/api/index.html`);
}
