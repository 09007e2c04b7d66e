// What the page says, in the language of the user, or else of the browser.
import { signal } from "@preact/signals";
import { de } from "./de";
import { en, type Texts } from "./en";

const languages: Record<string, Texts> = { en, de };

/** The names of the languages, in themselves. */
export const languageNames = { en: "English", de: "Deutsch" };

const preferred = () => navigator.languages.map(base).find((tag) => tag in languages) ?? "en";
const base = (tag: string) => tag.slice(0, 2).toLowerCase();

export const language = signal(preferred());

/** The texts of the language. A component that reads them is shown again when it changes. */
export const t = (): Texts => languages[language.value]!;

/** Selects a language, such as "de" or "de-AT", if there are texts in it. */
export function use(tag: string): void {
  if (base(tag) in languages) language.value = base(tag);
}

/** Adds what a part of the page that is loaded later says about problems. */
export function learn(tag: string, problems: Texts["problems"]): void {
  Object.assign(languages[tag]!.problems, problems);
}

/**
 * Returns a name for a sentence. One with letters from right to left, or with characters that
 * change the direction, would otherwise move the words around it.
 */
export const isolated = (name: string): string =>
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/.test(name) ? `\u2068${name}\u2069` : name;

/** Returns a time as people write it. */
export const time = (iso: string): string =>
  new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));

const units: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]]; // in seconds

/** Returns how far a time is away, such as "in 5 minutes" or "2 days ago". */
export function relative(iso: string): string {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units.at(-1)!;
  return new Intl.RelativeTimeFormat(language.value, { numeric: "auto" }).format(Math.round(seconds / length), unit);
}

/** Returns a number of bytes as people write it, such as 1.5 MB: of 1024 KB, as Nextcloud counts. */
export function size(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const unit = Math.min(units.length - 1, bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return new Intl.NumberFormat(language.value, {
    style: "unit", unit: units[unit], unitDisplay: unit === 0 ? "long" : "short", maximumFractionDigits: unit > 1 ? 1 : 0,
  }).format(bytes / 1024 ** unit);
}
