// Lists, uploads, pages, edits and commits with the client that @hey-api/openapi-ts generates.
import { client } from "./generated_hey_api/client.gen";
import {
  commitImport,
  listImports,
  listReviewedGroups,
  renameReviewedGroup,
  showImport,
  uploadImport,
} from "./generated_hey_api/sdk.gen";
import type { ImportDocument, ReviewedGroup } from "./generated_hey_api/types.gen";

const [url, token, subscription_id, file] = process.argv.slice(2);
client.setConfig({ baseUrl: url, auth: token });

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

async function reviewed(import_id: string): Promise<ReviewedGroup[]> {
  const found: ReviewedGroup[] = [];
  for (let after: string | undefined; ; ) {
    const { data, response } = await listReviewedGroups({
      path: { subscription_id, import_id },
      query: { limit: 2, after },
      throwOnError: true,
    });
    found.push(...data);
    const link = response.headers.get("Link");
    if (!link) return found;
    after = new URL(link.slice(1, link.indexOf(">")), url).searchParams.get("after") ?? undefined;
  }
}

async function main(): Promise<void> {
  const before = await listImports({ path: { subscription_id }, throwOnError: true });
  const uploaded = await uploadImport({
    path: { subscription_id },
    body: { file: new File([file], "groups.csv", { type: "text/csv" }) },
    throwOnError: true,
  });
  const created: ImportDocument = uploaded.data;
  check(created.state === "reviewing" && created.format === "group_based" && created.counts.groups === 3, "upload");
  const path = { subscription_id, import_id: created.id };
  const names = (await reviewed(created.id)).map((each) => each.name);
  check(names.join() === "Sales,Asia,Africa", `groups: ${names}`);
  const renamed = await renameReviewedGroup({
    path: { ...path, number: 1 },
    headers: { "If-Match": `"${created.version}"` },
    body: { name: "Sales Europe" },
    throwOnError: true,
  });
  check(renamed.data.name === "Sales Europe", "rename");
  const headers = { "If-Match": renamed.response.headers.get("ETag") ?? "" };
  let shown: ImportDocument = (await commitImport({ path, headers, throwOnError: true })).data;
  while (shown.state !== "completed") {
    await new Promise((resolve) => setTimeout(resolve, 50));
    shown = (await showImport({ path, throwOnError: true })).data;
  }
  check(shown.progress.groups_added === 3, "commit");
  const after = await listImports({ path: { subscription_id }, throwOnError: true });
  check(after.data.length === before.data.length + 1, "list");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
