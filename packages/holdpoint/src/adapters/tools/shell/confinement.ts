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
import { existsSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { ShellLimits } from "../../../spec/limits.ts";
import { isWithin } from "../rooted/places.ts";
import { CoveredPlaces, type CoverOptions, type User } from "./covered-places.ts";
import type { GivenEnvironment } from "./given-environment.ts";
import { copyOf } from "./kept-copies.ts";

export type ConfinementKind = "user" | "bwrap" | "none";

export interface ConfinementOptions extends Omit<CoverOptions, "user"> {
	readonly kind: ConfinementKind;
	/** Of `user`. */
	readonly user: User;
	readonly network: boolean;
	readonly limits: ShellLimits;
	readonly environment: GivenEnvironment;
}

export interface Confinement {
	readonly kind: ConfinementKind;
	/** Undefined: nothing is. */
	readonly covered: CoveredPlaces | undefined;
	/** The words that are really run for these, in the environment that is carried. */
	wrap(command: readonly string[]): string[];
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
		stdio: ["ignore", "pipe", "pipe", "pipe"],
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
	const wrap = (command: readonly string[]) => [...tied(), ...environment.words(tool("sh")), ...command];
	return { kind: "none", covered: undefined, wrap };
}

/**
 * Covers folders and files; what says what holds stays readable, as a copy. Nothing is mounted that an agent wrote (see
 * covered-places.ts). Then it enters the folder anew. Its words are separate: nothing is parsed.
 */
const coverScript = `
mount=$1; folder=$2; hidden=$3; kept=$4; shift 4
while [ "$hidden" -gt 0 ]; do
	if [ -d "$1" ]; then "$mount" -t tmpfs -o ro,mode=0555,size=4k none "$1" || exit 125
	else "$mount" --bind /dev/null "$1" || [ ! -e "$1" ] || exit 125; fi
	shift; hidden=$((hidden - 1))
done
while [ "$kept" -gt 0 ]; do
	"$mount" --bind "$1" "$2" && "$mount" -o remount,ro,bind "$2" || exit 125
	shift 2; kept=$((kept - 1))
done
cd "$folder" && unset OLDPWD || exit 125
exec "$@"
`;

function asOtherUser(options: ConfinementOptions): Confinement {
	const { network, folder } = options;
	const { uid, gid } = options.user;
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
	const covered = new CoveredPlaces(options);
	const wrap: Confinement["wrap"] = (command) => {
		const { hidden, kept } = covered.now();
		const counts = [String(hidden.length), String(kept.length)];
		const copies = kept.flatMap((place) => [copyOf(place), place]);
		return [...begin, folder, ...counts, ...hidden, ...copies, ...drop, ...command];
	};
	return { kind: "user", covered, wrap };
}

/** What programs of the system need to start, and to know names. */
const shownFiles = ["alternatives", "ld.so.cache", "passwd", "group", "nsswitch.conf", "localtime", "ssl", "gitconfig"];
const networkFiles = ["hosts", "resolv.conf"];

function inBubblewrap(options: ConfinementOptions): Confinement {
	const { folder, network } = options;
	// Bubblewrap keeps the user, and the number of root's processes has no limit.
	if (process.geteuid?.() === 0) throw new Error('root confines commands with confine: "user"');
	const system = ["/bin", "/sbin", "/lib", "/lib32", "/lib64"].flatMap((place) => ["--ro-bind-try", place, place]);
	const etc = [...shownFiles, ...(network ? networkFiles : [])].map((name) => `/etc/${name}`);
	const spaces = ["--die-with-parent", "--unshare-all", ...(network ? ["--share-net"] : []), "--new-session"];
	const seen = ["--ro-bind", "/usr", "/usr", ...system, ...etc.flatMap((place) => ["--ro-bind-try", place, place])];
	const own = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", folder, folder, "--chdir", folder];
	const begin = [...tied(), tool("bwrap"), ...spaces, "--cap-drop", "ALL", ...seen, ...own];
	// It shows nothing outside of the folder at all.
	const covered = new CoveredPlaces({ ...options, user: undefined });
	const wrap: Confinement["wrap"] = (command) => {
		const program = command[0] ?? "";
		if (!/^\/(usr|bin|sbin)\//.test(program))
			throw new Error(`${program} is not below /usr, and bubblewrap shows commands nothing else`);
		const { hidden, kept } = covered.now();
		const hides = hidden.filter((place) => isWithin(folder, place)).flatMap(cover);
		const keeps = kept.flatMap((place) => ["--ro-bind", copyOf(place), place]);
		return [...begin, ...hides, ...keeps, "--", ...bounded(options), ...command];
	};
	return { kind: "bwrap", covered, wrap };
}

function cover(place: string): string[] {
	return statSync(place).isDirectory() ? ["--tmpfs", place, "--remount-ro", place] : ["--ro-bind", "/dev/null", place];
}
