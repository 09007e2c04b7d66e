// What the administration says, in the language of the page.
import { language, learn } from "../../texts";
import { de } from "./de";
import { en, type Texts } from "./en";

const languages: Record<string, Texts> = { en, de };
for (const [tag, { problems }] of Object.entries(languages)) learn(tag, problems);

/** The texts of the language. */
export const a = (): Texts => languages[language.value]!;
