import { useEffect } from "preact/hooks";
import { ok, open, type Schemas } from "../api";
import { language } from "../texts";
import { useLoad } from "../ui/load";
import { Loading, Trouble } from "../ui/message";
import { Title } from "../ui/page";
import { Table } from "../ui/table";
import { Tag } from "../ui/tag";
import { a } from "./texts";

type Readiness = Schemas["Readiness"];
type Part = keyof Readiness["checks"];

const pause = 10_000; // milliseconds

/** Returns what the gateway says about its parts; also when it says that it is out of service. */
async function read(): Promise<Readiness & { at: Date }> {
  const result = await open.GET("/ready");
  const said = result.data ?? result.error;
  const state = said && "checks" in said ? said : await ok(Promise.resolve(result));
  return { ...state, at: new Date() };
}

/** The state of what the gateway depends on. Nothing is checked while nobody looks. */
export function Health() {
  const { data, problem, reload } = useLoad(read);
  useEffect(() => {
    const check = () => document.hidden || void reload();
    const timer = setInterval(check, pause);
    document.addEventListener("visibilitychange", check);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", check);
    };
  }, [reload]);
  return (
    <>
      <Title>{a().health.title}</Title>
      {problem && <Trouble problem={problem} retry={() => void reload()} />}
      {data ? <State {...data} check={reload} /> : !problem && <Loading />}
    </>
  );
}

const tones = { ready: "good", degraded: "busy", unavailable: "bad" } as const;

function State({ status, checks, at, check }: Readiness & { at: Date; check: () => void }) {
  const { tag, text } = a().health.states[status];
  const clock = new Intl.DateTimeFormat(language.value, { timeStyle: "medium" }).format(at);
  const columns = [
    { label: a().health.columns.part, cell: (part: Part) => <About part={part} {...checks[part]} /> },
    { label: a().health.columns.state, cell: (part: Part) => <Verdict part={part} {...checks[part]} /> },
  ];
  return (
    <section class="health">
      <p role="status"><Tag tone={tones[status]}>{tag}</Tag> {text}</p>
      <Table label={a().health.title} columns={columns} items={Object.keys(checks) as Part[]} id={(part) => part} />
      <div class="line">
        <p class="quiet">{a().health.checked(clock)}</p>
        <button type="button" onClick={check}>{a().health.again}</button>
      </div>
    </section>
  );
}

type Check = Schemas["Check"] & { part: Part };

const About = ({ part, status, required }: Check) => (
  <div>
    <strong>{a().health.names[part]}</strong> {required && <span class="quiet">{a().health.required}</span>}
    <p class="quiet">{status === "failed" ? a().health.failures[part] : a().health.purposes[part]}</p>
  </div>
);

function Verdict({ part, status, latency_ms, error }: Check) {
  const tone = ({ ok: "good", failed: "bad", disabled: undefined } as const)[status];
  const ms = latency_ms !== undefined && new Intl.NumberFormat(language.value, { maximumSignificantDigits: 2 }).format(latency_ms);
  return (
    <div>
      <Tag tone={tone}>{part === "schema" && status === "failed" ? a().health.wrong : a().health.tags[status]}</Tag>{" "}
      {status === "ok" && ms && <span class="quiet">{a().health.took(ms)}</span>}
      {error && <p class="quiet">{a().health.reported(error)}</p>}
    </div>
  );
}
