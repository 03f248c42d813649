const shownMax = 3;
const lengthMax = 64;
const comparedMax = 2_000;

/** The names that someone who wrote `name` most likely meant, nearest first; case and `_`, `-`, `.` count for nothing. */
export function nearestNames(name: string, names: readonly string[]): readonly string[] {
	const wanted = bare(name);
	if (wanted.length > lengthMax) return [];
	const far = Math.max(1, Math.floor(wanted.length / 3));
	const near = names
		.slice(0, comparedMax)
		.map((other, i) => ({ other, i, distance: editDistance(wanted, bare(other), far) }));
	const sorted = near.filter(({ distance }) => distance <= far).sort((a, b) => a.distance - b.distance || a.i - b.i);
	return sorted.slice(0, shownMax).map(({ other }) => other);
}

function bare(name: string): string {
	return name.toLowerCase().replace(/[_.\-\s]/g, "");
}

/** Levenshtein; anything over `far` is told as one more than it. */
function editDistance(a: string, b: string, far: number): number {
	if (Math.abs(a.length - b.length) > far) return far + 1;
	let row = Array.from({ length: b.length + 1 }, (_, i) => i);
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) {
			const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
			next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
		}
		if (Math.min(...next) > far) return far + 1;
		row = next;
	}
	return Math.min(row[b.length] ?? 0, far + 1);
}
