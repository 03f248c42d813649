/**
 * Where a command of an agent's runs. It must not reach the store, whatever it is.
 *
 * - `user`: for a harness of root. Another user without any capability, in namespaces of its own for processes, mounts, network
 *   and messages; what belongs to the store is covered by an empty folder.
 * - `bwrap`: for a harness without root, where bubblewrap works. The same user sees `/usr`, its folder, and nothing else.
 * - `none`: the harness's own user, knowingly.
 *
 * In the first two all processes of a command are one namespace: when its first one ends, or is killed, or the harness dies,
 * the kernel kills the others, wherever they have fled to.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { ShellLimits } from "../../../spec/limits.ts";
import { configName, configPlaces } from "../rooted/forbidden-places.ts";
import { isWithin, wayTo } from "../rooted/places.ts";
import { type CoverOptions, coveredPlaces, foldersAbove } from "./covered-places.ts";
import type { GivenEnvironment } from "./given-environment.ts";

export type ConfinementKind = "user" | "bwrap" | "none";

export interface ConfinementOptions extends CoverOptions {
	readonly kind: ConfinementKind;
	/** Of `user`. */
	readonly uid: number;
	readonly gid: number;
	readonly network: boolean;
	readonly limits: ShellLimits;
	readonly environment: GivenEnvironment;
}

export interface Confinement {
	readonly kind: ConfinementKind;
	/** The words that are really run for these, in the environment that is carried. `stores`: further places to be covered. */
	wrap(command: readonly string[], stores?: readonly string[]): string[];
}

/** What suits this process. */
export function usualConfinement(): ConfinementKind {
	return process.geteuid?.() === 0 ? "user" : "bwrap";
}

/** Errors: one that says what this machine lacks. */
export function confinement(options: ConfinementOptions): Confinement {
	const { kind } = options;
	const made = kind === "none" ? unconfined(options) : kind === "user" ? asOtherUser(options) : inBubblewrap(options);
	const [program = "", ...args] = made.wrap([tool("true")]);
	const probe = spawnSync(program, args, {
		cwd: options.folder,
		env: options.environment.carried,
		encoding: "utf8",
		timeout: 10_000,
	});
	if (probe.status === 0) return made;
	const said = probe.error?.message ?? probe.stderr.trim().slice(0, 300);
	throw new Error(`commands cannot be confined here (${kind}): ${said || `exit code ${probe.status}`}; ${advice}`);
}

const advice =
	'run the harness as root, or install bubblewrap where user namespaces are allowed, or say confine: "none" if commands may do whatever the harness may';

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Found in the system's own folders, whatever PATH says. Errors: where it is not there. */
function tool(name: string): string {
	const found = systemPath.split(delimiter).find((folder) => existsSync(join(folder, name)));
	if (!found) throw new Error(`commands cannot be confined here: there is no ${name}; ${advice}`);
	return join(found, name);
}

/** What stands last before a command: its bounds, and its environment. */
function bounded({ limits, environment }: ConfinementOptions): string[] {
	const seconds = Math.ceil(limits.commandTimeoutMs / 1_000);
	return [
		tool("prlimit"),
		`--nproc=${limits.processesMax}`,
		`--as=${limits.memoryBytesMax}`,
		`--fsize=${limits.fileBytesMax}`,
		`--nofile=${limits.openFilesMax}`,
		`--cpu=${seconds}`,
		"--core=0",
		"--",
		...environment.words(tool("sh")),
	];
}

/** Ends with the harness, whatever becomes of that one. */
function tied(): string[] {
	return [tool("setpriv"), "--pdeathsig", "KILL", "--"];
}

function unconfined({ environment }: ConfinementOptions): Confinement {
	return { kind: "none", wrap: (command) => [...tied(), ...environment.words(tool("sh")), ...command] };
}

/**
 * Pins the folders above the store, covers its folders and files; what says what holds stays readable. Then it enters the folder
 * anew: it stands below what was mounted since. Its words are separate: nothing is parsed.
 */
const coverScript = `
mount=$1; folder=$2; pinned=$3; covered=$4; kept=$5; shift 5
while [ "$pinned" -gt 0 ]; do
	"$mount" --rbind "$1" "$1" || exit 125
	shift; pinned=$((pinned - 1))
done
while [ "$covered" -gt 0 ]; do
	if [ -d "$1" ]; then "$mount" -t tmpfs -o ro,mode=0,size=4k none "$1"; else "$mount" --bind /dev/null "$1"; fi || exit 125
	shift; covered=$((covered - 1))
done
while [ "$kept" -gt 0 ]; do
	"$mount" --bind "$1" "$1" && "$mount" -o remount,ro,bind "$1" || exit 125
	shift; kept=$((kept - 1))
done
cd "$folder" && unset OLDPWD || exit 125
exec "$@"
`;

function asOtherUser(options: ConfinementOptions): Confinement {
	const { uid, gid, network, folder, places } = options;
	if (process.geteuid?.() !== 0) throw new Error(`only root can run commands as another user; ${advice}`);
	if (uid === 0 || gid === 0) throw new Error("commands are not run as root");
	const spaces = [
		"--pid",
		"--fork",
		"--kill-child=KILL",
		"--mount",
		"--mount-proc",
		"--ipc",
		...(network ? [] : ["--net"]),
	];
	const ids = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
	// Another user's process forgets whose death it dies of, and is told again.
	const rights = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--pdeathsig", "KILL", "--"];
	const begin = [...tied(), tool("unshare"), ...spaces, "--", tool("sh"), "-c", coverScript, "sh", tool("mount")];
	const drop = [tool("setpriv"), ...ids, ...rights, ...bounded(options)];
	const wrap: Confinement["wrap"] = (command, stores = []) => {
		const covered = coveredPlaces({ folder, places: [...places, ...stores] });
		const kept = keptFiles(folder, covered);
		const lists = [foldersAbove([...covered, ...kept]), covered, kept];
		const counts = lists.map(({ length }) => String(length));
		return [...begin, folder, ...counts, ...lists.flat(), ...drop, ...command];
	};
	return { kind: "user", wrap };
}

/** What programs of the system need to start, and to know names. */
const shownFiles = ["alternatives", "ld.so.cache", "passwd", "group", "nsswitch.conf", "localtime", "ssl", "gitconfig"];
const networkFiles = ["hosts", "resolv.conf"];

function inBubblewrap(options: ConfinementOptions): Confinement {
	const { folder, places, network } = options;
	// Bubblewrap keeps the user, and the number of root's processes has no limit.
	if (process.geteuid?.() === 0) throw new Error('root confines commands with confine: "user"');
	const system = ["/bin", "/sbin", "/lib", "/lib32", "/lib64"].flatMap((place) => ["--ro-bind-try", place, place]);
	const etc = [...shownFiles, ...(network ? networkFiles : [])].map((name) => `/etc/${name}`);
	const spaces = ["--die-with-parent", "--unshare-all", ...(network ? ["--share-net"] : []), "--new-session"];
	const seen = ["--ro-bind", "/usr", "/usr", ...system, ...etc.flatMap((place) => ["--ro-bind-try", place, place])];
	const own = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", folder, folder, "--chdir", folder];
	const begin = [...tied(), tool("bwrap"), ...spaces, "--cap-drop", "ALL", ...seen, ...own];
	const wrap: Confinement["wrap"] = (command, stores = []) => {
		const program = command[0] ?? "";
		if (!/^\/(usr|bin|sbin)\//.test(program))
			throw new Error(`${program} is not below /usr, and bubblewrap shows commands nothing else`);
		// It shows nothing outside of the folder at all.
		const covered = coveredPlaces({ folder, places: [...places, ...stores] }).filter((place) =>
			isWithin(folder, place),
		);
		const kept = keptFiles(folder, covered);
		const pins = foldersAbove([...covered, ...kept])
			.filter((place) => place !== folder && isWithin(folder, place))
			.flatMap((place) => ["--bind", place, place]);
		const covers = covered.flatMap((place) =>
			statSync(place).isDirectory() ? ["--tmpfs", place, "--remount-ro", place] : ["--ro-bind", "/dev/null", place],
		);
		const keeps = kept.flatMap((place) => ["--ro-bind", place, place]);
		return [...begin, ...pins, ...covers, ...keeps, "--", ...bounded(options), ...command];
	};
	return { kind: "bwrap", wrap };
}

/** The configuration of the next harness, where nothing covers it. Shape: real paths. */
function keptFiles(folder: string, covered: readonly string[]): string[] {
	const own = readdirSync(folder, { withFileTypes: true })
		.filter((entry) => entry.isFile() && configName.test(entry.name))
		.map(({ name }) => join(folder, name));
	const named = configPlaces()
		.map((place) => wayTo(place).end)
		.filter((place) => isWithin(folder, place) && existsSync(place))
		.filter((place) => !covered.some((each) => isWithin(each, place)));
	return [...new Set([...own, ...named])];
}
