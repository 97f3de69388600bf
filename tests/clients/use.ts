import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { paths } from "./schema";

function require(condition: unknown, what: unknown): asserts condition {
  if (!condition) throw new Error(JSON.stringify(what));
}

const [address, key, recording] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${key}` } });

const submitted = await client.POST("/v1/jobs", {
  body: { audio: "" },
  bodySerializer: () => {
    const form = new FormData();
    form.set("audio", new Blob([readFileSync(recording)]), "visit.flac");
    return form;
  },
});
require(submitted.data, submitted.error);
const path = { job_id: submitted.data.id };
const read = await client.GET("/v1/jobs/{job_id}", { params: { path } });
require(read.data?.recording.file_name === "visit.flac", read.error);
const turns = await client.GET("/v1/jobs/{job_id}/turns", { params: { path } });
require(turns.error?.code === "job_not_finished", turns.data);
const cancelled = await client.POST("/v1/jobs/{job_id}/cancel", { params: { path } });
require(cancelled.data?.state === "cancelled", cancelled.error);
