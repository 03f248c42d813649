/** URLs that a model wrote, or a server redirects to. What is shown is what is fetched: nothing is mended. */
import { isIP } from "node:net";

/** Where may be fetched from. */
export interface DomainRule {
	/** Shape: `example.com`, or `*.example.com` for all below it and not itself. */
	readonly name: string;
	readonly isBelow: boolean;
	readonly port: string;
}

/** Shape: `example.com`, `*.example.com`, `example.com:8443`. Errors: one that says what is no domain. */
export function domainRule(text: string): DomainRule {
	const [, star, name = "", port = ""] = /^(\*\.)?([a-z0-9.-]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
	const labels = name.split(".");
	const isName = labels.length > 1 && labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
	if (!isName || isIP(name) || /^\d+$/.test(labels.at(-1) ?? "") || Number(port) > 65_535) {
		throw new Error(
			`${JSON.stringify(text)} is no domain: "example.com", "*.example.com" or "example.com:8443", in lower case`,
		);
	}
	return { name, isBelow: star !== undefined, port };
}

export interface UrlRules {
	readonly domains: readonly DomainRule[];
	readonly http: boolean;
	readonly urlCharsMax: number;
}

/** Errors: one for the model. */
export function checkedUrl(text: string, { domains, http, urlCharsMax }: UrlRules): URL {
	if (text.length > urlCharsMax) throw new Error(`The URL is longer than ${urlCharsMax} characters`);
	// What a parser would take out or turn into something else before it looks at the host.
	if (!/^[!-[\]-~]+$/.test(text)) throw refused(text, "has a character that a URL has only encoded");
	if (!URL.canParse(text)) throw refused(text, "is no URL");
	const url = new URL(text);
	if (url.protocol !== "https:" && !(http && url.protocol === "http:")) {
		throw refused(text, `does not begin with https://${http ? " or http://" : ""}`);
	}
	if (url.username !== "" || url.password !== "" || authority(text).includes("@"))
		throw refused(text, "has a name or password in it");
	const { hostname } = url;
	if (isIP(hostname.replace(/^\[|\]$/g, "")) !== 0)
		throw refused(text, "names an address; only names of domains are fetched from");
	const [host = "", port] = authority(text).split(":");
	if (host.toLowerCase() !== hostname || (port !== undefined && !/^[1-9]\d*$/.test(port))) {
		throw refused(text, "writes its host in another way than it is");
	}
	if (domains.some((rule) => allows(rule, url))) return url;
	throw refused(text, `is of a domain that is not allowed. Allowed: ${domains.map(domainText).join(", ")}`);
}

function authority(text: string): string {
	return /^[a-z]+:\/\/([^/?#]*)/i.exec(text)?.[1] ?? "";
}

function allows({ name, isBelow, port }: DomainRule, url: URL): boolean {
	return url.port === port && (isBelow ? url.hostname.endsWith(`.${name}`) : url.hostname === name);
}

export function domainText({ name, isBelow, port }: DomainRule): string {
	return `${isBelow ? "*." : ""}${name}${port === "" ? "" : `:${port}`}`;
}

function refused(text: string, why: string): Error {
	return new Error(`The URL ${JSON.stringify(text.slice(0, 200))} ${why}`);
}
