import { opendir } from "node:fs/promises";
import type { SkillLimits } from "../../../spec/limits.ts";
import { wholeText } from "../rooted/read-text.ts";
import { isUsableName, pathOf } from "../rooted/relative-path.ts";
import type { RootFolder } from "../rooted/root-folder.ts";
import { walkFolder } from "../rooted/walk-folder.ts";
import { type SkillHead, skillDocument } from "./frontmatter.ts";

const headFile = "SKILL.md";
/** Of a folder of skills; what else lies in it is looked at only by name. */
const entriesMax = 10_000;

/** Reads the heads of all skills, in the order of their names. Errors: one that lists what is wrong, where it is. */
export async function readHeads(root: RootFolder, limits: SkillLimits): Promise<SkillHead[]> {
	const problems: string[] = [];
	const heads: SkillHead[] = [];
	for (const name of await folderNames(root, problems)) {
		if (heads.length + problems.length >= limits.skillsMax)
			throw new Error(`has more than ${limits.skillsMax} skills (skillsMax)`);
		const head = await headOf(root, name, limits).catch((error: Error) => void problems.push(error.message));
		if (head) heads.push(head);
	}
	if (problems.length > 0) throw new Error(problems.join("; "));
	return heads;
}

async function folderNames(root: RootFolder, problems: string[]): Promise<string[]> {
	return root.inFolder([], async ({ self }) => {
		const names: string[] = [];
		let entries = 0;
		for await (const entry of await opendir(self)) {
			if (++entries > entriesMax) throw new Error(`has more than ${entriesMax} entries; it is no folder of skills`);
			if (entry.name.startsWith(".") || !isUsableName(entry.name)) continue;
			if (entry.isSymbolicLink())
				problems.push(`${entry.name} is a link, and links are not followed: put the folder itself there`);
			else if (entry.isDirectory()) names.push(entry.name);
		}
		return names.toSorted();
	});
}

/** Undefined: the folder is no skill. */
async function headOf(root: RootFolder, folder: string, limits: SkillLimits): Promise<SkillHead | undefined> {
	const isSkill = await root.inFolder([folder], async (opened) => (await root.lookAt(opened, headFile)) !== undefined);
	if (!isSkill) return undefined;
	const text = await wholeText(root, [folder, headFile], limits.skillBytesMax);
	try {
		const { head } = skillDocument(text);
		if (head.name !== folder) throw new Error(`has the name ${head.name}, and its folder another one`);
		return head;
	} catch (error) {
		throw new Error(`${folder}/${headFile} ${(error as Error).message}`, { cause: error });
	}
}

export interface SkillText {
	readonly name: string;
	/** Left out: the skill itself. */
	readonly file?: string;
	readonly text: string;
	/** What else there is to be read. */
	readonly files?: readonly string[];
	/** There are more of them. */
	readonly truncated?: true;
}

export async function readSkill(
	root: RootFolder,
	name: string,
	{ limits, signal }: { readonly limits: SkillLimits; readonly signal: AbortSignal },
): Promise<SkillText> {
	const { body } = skillDocument(await wholeText(root, [name, headFile], limits.skillBytesMax));
	const files: string[] = [];
	const { isWhole } = await walkFolder(root, [name], {
		visitsMax: limits.skillFilesMax,
		depthMax: limits.skillDepthMax,
		signal,
		enters: () => true,
		async visit(entry) {
			const path = pathOf([...entry.folder.segments.slice(1), entry.name]);
			if (entry.kind === "file" && path !== headFile) files.push(path);
			return true;
		},
	});
	return { name, text: body, ...(files.length > 0 ? { files } : {}), ...(isWhole ? {} : { truncated: true }) };
}
