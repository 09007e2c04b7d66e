// What people call the device of a login.
import { t } from "./texts";

// The first that matches counts: browsers also name those that they descend from.
const browsers: [RegExp, string][] = [
  [/Edg(A|iOS)?\//, "Edge"], [/OPR\//, "Opera"], [/SamsungBrowser\//, "Samsung Internet"], [/Firefox\/|FxiOS\//, "Firefox"],
  [/Chrom(e|ium)\/|CriOS\//, "Chrome"], [/Safari\//, "Safari"], [/curl\//, "curl"],
];
const systems: [RegExp, string][] = [
  [/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android/, "Android"], [/Windows/, "Windows"], [/Mac OS X|Macintosh/, "Mac"],
  [/CrOS/, "ChromeOS"], [/Linux/, "Linux"],
];

const first = (names: [RegExp, string][], agent: string) => names.find(([form]) => form.test(agent))?.[1];

/** Returns the name of the device with a User-Agent, such as "Firefox on Windows". */
export function deviceName(agent: string): string {
  const browser = first(browsers, agent);
  const system = first(systems, agent);
  if (browser && system) return t().security.on(browser, system);
  return browser ?? system ?? (agent.slice(0, 60) || t().security.unknownDevice);
}
