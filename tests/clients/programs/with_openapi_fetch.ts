// Lists, uploads, pages, edits and commits with openapi-fetch over the types that openapi-typescript generates.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated_types";

type Group = components["schemas"]["ReviewedGroup"];
type Import = components["schemas"]["ImportDocument"];

const [url, token, subscription_id, file] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

function sure<T>(value: T | undefined, what: unknown): T {
  if (value === undefined) throw new Error(`no answer: ${JSON.stringify(what)}`);
  return value;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

async function reviewed(import_id: string): Promise<Group[]> {
  const found: Group[] = [];
  for (let after: string | undefined; ; ) {
    const { data, error, response } = await client.GET(
      "/api/v1/subscriptions/{subscription_id}/imports/{import_id}/groups",
      { params: { path: { subscription_id, import_id }, query: { limit: 2, after } } },
    );
    found.push(...sure(data, error));
    const link = response.headers.get("Link");
    if (!link) return found;
    after = new URL(link.slice(1, link.indexOf(">")), url).searchParams.get("after") ?? undefined;
  }
}

async function main(): Promise<void> {
  const IMPORTS = "/api/v1/subscriptions/{subscription_id}/imports";
  const before = await client.GET(IMPORTS, { params: { path: { subscription_id } } });
  const form = new FormData();
  form.append("file", new Blob([file], { type: "text/csv" }), "groups.csv");
  const uploaded = await client.POST(IMPORTS, {
    params: { path: { subscription_id } },
    body: { file: "" },
    bodySerializer: () => form,
  });
  const created: Import = sure(uploaded.data, uploaded.error);
  check(created.state === "reviewing" && created.format === "group_based" && created.counts.groups === 3, "upload");
  const path = { subscription_id, import_id: created.id };
  const names = (await reviewed(created.id)).map((each) => each.name);
  check(names.join() === "Sales,Asia,Africa", `groups: ${names}`);
  const renamed = await client.PATCH("/api/v1/subscriptions/{subscription_id}/imports/{import_id}/groups/{number}", {
    params: { path: { ...path, number: 1 }, header: { "If-Match": `"${created.version}"` } },
    body: { name: "Sales Europe" },
  });
  check(sure(renamed.data, renamed.error).name === "Sales Europe", "rename");
  const committed = await client.POST("/api/v1/subscriptions/{subscription_id}/imports/{import_id}/commit", {
    params: { path, header: { "If-Match": sure(renamed.response.headers.get("ETag") ?? undefined, "ETag") } },
  });
  let shown: Import = sure(committed.data, committed.error);
  while (shown.state !== "completed") {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const again = await client.GET("/api/v1/subscriptions/{subscription_id}/imports/{import_id}", { params: { path } });
    shown = sure(again.data, again.error);
  }
  check(shown.progress.groups_added === 3, "commit");
  const after = await client.GET(IMPORTS, { params: { path: { subscription_id } } });
  check(sure(after.data, after.error).length === sure(before.data, before.error).length + 1, "list");
  const group: components["schemas"]["NewGroup"] = { name: "By hand" }; // `users` is optional
  const made = await client.POST("/api/v1/subscriptions/{subscription_id}/groups", {
    params: { path: { subscription_id } },
    body: group,
  });
  check(sure(made.data, made.error).name === "By hand", "create a group");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
