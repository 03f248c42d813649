/**
 * What a program does with its tools, as far as its text says so without running it.
 *
 * 1. Only what is certain is reported: a function that has a `tools` of its own, and a program that looks at `tools`
 *    itself (`Object.keys(tools)`, `"x" in tools`), is left alone.
 * 2. The walk keeps its own stack: the depth of a program is bounded by the parser and by nothing here.
 */
import type { AnyNode, CallExpression, Identifier, Node, Statement } from "acorn";

export interface ToolUse {
	readonly name: string;
	/** The name itself, where a problem with it is shown. */
	readonly at: Node;
	/** Undefined: the tool is only mentioned. */
	readonly call: CallExpression | undefined;
	/** Reading a name that is no tool throws in the guest; this place does not read it. */
	readonly reads: boolean;
}

export interface Examination {
	/** In the order of the text. */
	readonly uses: readonly ToolUse[];
	/** `import`, `export`, `import()`, `require()`. */
	readonly modules: readonly Node[];
	/** The program looks at `tools` as a whole, so that it may know which names there are. */
	readonly inspects: boolean;
	/** It names a tool in a way that its text does not tell: `tools[name]`. */
	readonly computes: boolean;
}

interface Scope {
	readonly parent: Scope | undefined;
	readonly own: Set<string>;
}

interface Visit {
	readonly node: AnyNode;
	readonly parent: AnyNode | undefined;
	readonly scope: Scope;
}

const watched: ReadonlySet<string> = new Set(["tools", "require"]);

export function examineProgram(statements: readonly Statement[]): Examination {
	return new Examiner().examine(statements);
}

class Examiner {
	readonly #uses: (ToolUse & { readonly scope: Scope })[] = [];
	readonly #modules: { readonly node: Node; readonly scope: Scope | undefined }[] = [];
	readonly #whole: Scope[] = [];
	readonly #computed: Scope[] = [];
	#stack: Visit[] = [];

	examine(statements: readonly Statement[]): Examination {
		const scope: Scope = { parent: undefined, own: new Set() };
		this.#stack = statements.map((node) => ({ node, parent: undefined, scope }));
		for (let visit = this.#stack.pop(); visit; visit = this.#stack.pop()) this.#visit(visit);
		const uses = this.#uses.filter((use) => !isOwn("tools", use.scope)).sort((a, b) => a.at.start - b.at.start);
		const modules = this.#modules.filter(({ scope }) => !scope || !isOwn("require", scope)).map(({ node }) => node);
		return {
			uses,
			modules: modules.sort((a, b) => a.start - b.start),
			inspects: this.#whole.some((scope) => !isOwn("tools", scope)),
			computes: this.#computed.some((scope) => !isOwn("tools", scope)),
		};
	}

	#visit(visit: Visit): void {
		const scope = this.#declare(visit);
		this.#note({ ...visit, scope });
		this.#descend(visit.node, scope);
	}

	#descend(parent: AnyNode, scope: Scope): void {
		const unread = unreadPart(parent);
		// Every node of the parser is an object of its own properties; this loop is most of what the walk costs.
		for (const key in parent) {
			const value = (parent as unknown as Record<string, unknown>)[key];
			if (typeof value !== "object" || key === unread) continue;
			for (const node of Array.isArray(value) ? value : [value]) {
				if (isNode(node)) this.#stack.push({ node, parent, scope });
			}
		}
	}

	/** Books the names that the node declares; the scope of what is inside it. A block counts as its whole function. */
	#declare({ node, scope }: Visit): Scope {
		switch (node.type) {
			case "FunctionDeclaration":
			case "FunctionExpression":
			case "ArrowFunctionExpression": {
				const inner: Scope = { parent: scope, own: new Set() };
				for (const param of node.params) bind(param, inner);
				if (node.type !== "ArrowFunctionExpression" && node.id)
					bind(node.id, node.type === "FunctionDeclaration" ? scope : inner);
				return inner;
			}
			case "VariableDeclarator":
				bind(node.id, scope);
				break;
			case "ClassDeclaration":
			case "ClassExpression":
				if (node.id) bind(node.id, scope);
				break;
			case "CatchClause":
				if (node.param) bind(node.param, scope);
				break;
			case "WithStatement":
				for (const name of watched) scope.own.add(name);
				break;
		}
		return scope;
	}

	#note({ node, parent, scope }: Visit): void {
		switch (node.type) {
			case "ImportDeclaration":
			case "ImportExpression":
			case "ExportAllDeclaration":
			case "ExportDefaultDeclaration":
			case "ExportNamedDeclaration":
				this.#modules.push({ node, scope: undefined });
				break;
			case "MetaProperty":
				if (node.meta.name === "import") this.#modules.push({ node, scope: undefined });
				break;
			case "CallExpression":
				if (node.callee.type === "Identifier" && node.callee.name === "require") this.#modules.push({ node, scope });
				break;
			case "Identifier":
				if (node.name === "tools" && parent) this.#noteTools(node, parent, scope);
				break;
			case "MemberExpression":
				if (node.object.type === "Identifier" && node.object.name === "tools")
					this.#noteMember({ node, parent, scope });
				break;
		}
	}

	#noteTools(node: AnyNode, parent: AnyNode, scope: Scope): void {
		if (parent.type === "MemberExpression" && parent.object === node) return;
		const names = parent.type === "VariableDeclarator" && parent.init === node ? namesTaken(parent.id) : undefined;
		if (!names) this.#whole.push(scope);
		for (const at of names ?? []) {
			this.#uses.push({ name: at.name, at, call: undefined, reads: true, scope });
		}
	}

	#noteMember({ node, parent, scope }: Visit): void {
		if (node.type !== "MemberExpression") return;
		const name = node.computed
			? constantText(node.property)
			: node.property.type === "Identifier"
				? node.property.name
				: undefined;
		if (name === undefined) return void this.#computed.push(scope);
		const call = parent?.type === "CallExpression" && parent.callee === node ? parent : undefined;
		this.#uses.push({ name, at: node.property, call, reads: call !== undefined || isRead(node, parent), scope });
	}
}

function isOwn(name: string, scope: Scope): boolean {
	for (let at: Scope | undefined = scope; at; at = at.parent) if (at.own.has(name)) return true;
	return false;
}

/** Books what a pattern binds, of the names that matter. */
function bind(pattern: AnyNode | null, scope: Scope): void {
	switch (pattern?.type) {
		case "Identifier":
			if (watched.has(pattern.name)) scope.own.add(pattern.name);
			break;
		case "ObjectPattern":
			for (const property of pattern.properties) bind(property.type === "Property" ? property.value : property, scope);
			break;
		case "ArrayPattern":
			for (const element of pattern.elements) bind(element, scope);
			break;
		case "AssignmentPattern":
			bind(pattern.left, scope);
			break;
		case "RestElement":
			bind(pattern.argument, scope);
			break;
	}
}

/** `const { get_user, get_order: order } = tools`; undefined where the pattern takes more than names. */
function namesTaken(pattern: AnyNode): Identifier[] | undefined {
	if (pattern.type !== "ObjectPattern") return undefined;
	const names: Identifier[] = [];
	for (const property of pattern.properties) {
		if (property.type !== "Property" || property.computed || property.key.type !== "Identifier") return undefined;
		names.push(property.key);
	}
	return names;
}

function constantText(node: AnyNode): string | undefined {
	if (node.type === "Literal" && typeof node.value === "string") return node.value;
	if (node.type !== "TemplateLiteral" || node.expressions.length > 0) return undefined;
	return node.quasis[0]?.value.cooked ?? undefined;
}

/** False for the target of an assignment, for `delete`, and where a pattern may be the target. */
function isRead(node: AnyNode, parent: AnyNode | undefined): boolean {
	switch (parent?.type) {
		case "AssignmentExpression":
			return parent.right === node;
		case "UnaryExpression":
			return parent.operator !== "delete";
		case "ForInStatement":
		case "ForOfStatement":
			return parent.right === node;
		case "ArrayPattern":
		case "AssignmentPattern":
		case "Property":
		case "RestElement":
			return false;
		default:
			return parent !== undefined;
	}
}

/** The part that is a bare name and reads nothing: `a.tools`, `{ tools: 1 }`. */
function unreadPart(node: AnyNode): string | undefined {
	switch (node.type) {
		case "MemberExpression":
			return node.computed ? undefined : "property";
		case "Property":
		case "MethodDefinition":
		case "PropertyDefinition":
			return node.computed ? undefined : "key";
		default:
			return undefined;
	}
}

function isNode(value: unknown): value is AnyNode {
	return typeof value === "object" && value !== null && "type" in value && "start" in value;
}
