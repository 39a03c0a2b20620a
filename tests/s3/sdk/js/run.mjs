// AWS SDK for JavaScript v3 with its defaults: endpoint, keys and region come
// from the environment. Prints a line for each check and a closing line; exits
// with 1 when one failed.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import * as s3 from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const client = new s3.S3Client({});
const Bucket = `${process.env.S3_BUCKET_PREFIX}-js`;
const other = `${Bucket}-copy`;
const MIB = 1024 * 1024;
const big = Buffer.alloc(20 * MIB, randomBytes(MIB));
const name = "dir/a b+ü.txt";

const send = (command) => client.send(command);
const bodyOf = async (answer) => Buffer.from(await answer.Body.transformToByteArray());
const refused = (code, command) =>
  assert.rejects(send(command), (error) => {
    assert.equal(error.name, code);
    return true;
  });

const checks = {
  async create_buckets() {
    await send(new s3.CreateBucketCommand({ Bucket }));
    await send(new s3.CreateBucketCommand({ Bucket: other }));
    const { Buckets } = await send(new s3.ListBucketsCommand({}));
    const names = Buckets.map((bucket) => bucket.Name);
    assert.ok(names.includes(Bucket) && names.includes(other));
  },
  async put_get_head() {
    await send(
      new s3.PutObjectCommand({
        Bucket,
        Key: name,
        Body: "hello",
        ContentType: "text/plain",
        Metadata: { who: "js" },
      }),
    );
    const got = await send(new s3.GetObjectCommand({ Bucket, Key: name }));
    assert.equal((await bodyOf(got)).toString(), "hello");
    const head = await send(new s3.HeadObjectCommand({ Bucket, Key: name }));
    assert.deepEqual([head.ContentType, head.ContentLength], ["text/plain", 5]);
    assert.deepEqual(head.Metadata, { who: "js" });
    assert.equal(head.ETag, `"${createHash("md5").update("hello").digest("hex")}"`);
  },
  async default_checksum() {
    const done = await send(new s3.PutObjectCommand({ Bucket, Key: "sum", Body: "123456789" }));
    assert.equal(done.ChecksumCRC32, "y/Q5Jg==");
    const query = { Bucket, Key: "sum", ChecksumMode: "ENABLED" };
    assert.equal((await send(new s3.HeadObjectCommand(query))).ChecksumCRC32, "y/Q5Jg==");
  },
  async stream_body() {
    const Body = Readable.from([Buffer.alloc(100_000, "a"), Buffer.from("end")]);
    await send(new s3.PutObjectCommand({ Bucket, Key: "stream", Body, ContentLength: 100_003 }));
    const got = await bodyOf(await send(new s3.GetObjectCommand({ Bucket, Key: "stream" })));
    assert.equal(got.length, 100_003);
    assert.equal(got.subarray(-3).toString(), "end");
  },
  async read_range() {
    const got = await send(new s3.GetObjectCommand({ Bucket, Key: "sum", Range: "bytes=2-4" }));
    assert.equal((await bodyOf(got)).toString(), "345");
    assert.equal(got.ContentRange, "bytes 2-4/9");
  },
  async list_pages() {
    for (let n = 0; n < 25; n++) {
      const Key = `page/${String(n).padStart(2, "0")}`;
      await send(new s3.PutObjectCommand({ Bucket, Key, Body: "x" }));
    }
    const sizes = [];
    const input = { Bucket, Prefix: "page/" };
    for await (const page of s3.paginateListObjectsV2({ client, pageSize: 10 }, input)) {
      sizes.push(page.Contents.length);
    }
    assert.deepEqual(sizes, [10, 10, 5]);
    const top = await send(new s3.ListObjectsV2Command({ Bucket, Delimiter: "/" }));
    assert.deepEqual(
      top.CommonPrefixes.map((entry) => entry.Prefix),
      ["dir/", "page/"],
    );
  },
  async multipart() {
    await new Upload({ client, params: { Bucket, Key: "big", Body: Readable.from([big]) } }).done();
    const head = await send(new s3.HeadObjectCommand({ Bucket, Key: "big" }));
    assert.equal(head.ContentLength, 20 * MIB);
    assert.match(head.ETag, /-4"$/);
    const got = await bodyOf(await send(new s3.GetObjectCommand({ Bucket, Key: "big" })));
    assert.ok(got.equals(big));
  },
  async copy() {
    const CopySource = `${Bucket}/${encodeURIComponent(name)}`;
    await send(new s3.CopyObjectCommand({ Bucket: other, Key: "copied", CopySource }));
    const head = await send(new s3.HeadObjectCommand({ Bucket: other, Key: "copied" }));
    assert.deepEqual(head.Metadata, { who: "js" });
  },
  async tagging() {
    const TagSet = [{ Key: "a", Value: "1" }];
    await send(new s3.PutObjectTaggingCommand({ Bucket, Key: "sum", Tagging: { TagSet } }));
    const got = await send(new s3.GetObjectTaggingCommand({ Bucket, Key: "sum" }));
    assert.deepEqual(got.TagSet, TagSet);
  },
  async versioning() {
    const VersioningConfiguration = { Status: "Enabled" };
    await send(new s3.PutBucketVersioningCommand({ Bucket: other, VersioningConfiguration }));
    const target = { Bucket: other, Key: "v" };
    const first = await send(new s3.PutObjectCommand({ ...target, Body: "1" }));
    await send(new s3.PutObjectCommand({ ...target, Body: "2" }));
    const marker = await send(new s3.DeleteObjectCommand(target));
    assert.equal(marker.DeleteMarker, true);
    await refused("NoSuchKey", new s3.GetObjectCommand(target));
    const old = await send(new s3.GetObjectCommand({ ...target, VersionId: first.VersionId }));
    assert.equal((await bodyOf(old)).toString(), "1");
  },
  async presigned_get() {
    const url = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key: "sum" }));
    const answer = await fetch(url);
    assert.deepEqual([answer.status, await answer.text()], [200, "123456789"]);
  },
  async presigned_put() {
    const url = await getSignedUrl(client, new s3.PutObjectCommand({ Bucket, Key: "up" }));
    assert.equal((await fetch(url, { method: "PUT", body: "data" })).status, 200);
    const got = await bodyOf(await send(new s3.GetObjectCommand({ Bucket, Key: "up" })));
    assert.equal(got.toString(), "data");
  },
  async presigned_tampered() {
    const url = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key: "sum" }));
    assert.equal((await fetch(url.replace("/sum", "/up"))).status, 403);
  },
  async presigned_expired() {
    const signingDate = new Date(Date.now() - 3_600_000);
    const command = new s3.GetObjectCommand({ Bucket, Key: "sum" });
    const url = await getSignedUrl(client, command, { expiresIn: 60, signingDate });
    assert.equal((await fetch(url)).status, 403);
  },
  async post_form() {
    const { url, fields } = await createPresignedPost(client, {
      Bucket,
      Key: "form",
      Conditions: [["content-length-range", 1, 100]],
    });
    const form = (size) => {
      const data = new FormData();
      Object.entries(fields).forEach(([field, value]) => data.append(field, value));
      data.append("file", new Blob(["x".repeat(size)]), "f");
      return { method: "POST", body: data };
    };
    assert.equal((await fetch(url, form(10))).status, 204);
    assert.equal((await fetch(url, form(101))).status, 400);
    const head = await send(new s3.HeadObjectCommand({ Bucket, Key: "form" }));
    assert.equal(head.ContentLength, 10);
  },
  async conditional_put() {
    const input = { Bucket, Key: "once", Body: "1", IfNoneMatch: "*" };
    await send(new s3.PutObjectCommand(input));
    await refused("PreconditionFailed", new s3.PutObjectCommand(input));
  },
  async error_classes() {
    const missing = new s3.GetObjectCommand({ Bucket, Key: "missing" });
    await assert.rejects(send(missing), s3.NoSuchKey);
    await refused("NotFound", new s3.HeadObjectCommand({ Bucket, Key: "missing" }));
    await refused("BucketNotEmpty", new s3.DeleteBucketCommand({ Bucket }));
  },
  async delete_all() {
    for (const bucket of [Bucket, other]) {
      const listed = await send(new s3.ListObjectVersionsCommand({ Bucket: bucket }));
      const Objects = [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])].map(
        ({ Key, VersionId }) => ({ Key, VersionId }),
      );
      await send(new s3.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
      await send(new s3.DeleteBucketCommand({ Bucket: bucket }));
    }
    await refused("NotFound", new s3.HeadBucketCommand({ Bucket }));
  },
};

let failed = 0;
for (const [check, run] of Object.entries(checks)) {
  try {
    await run();
    console.log(`ok ${check}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${check}: ${`${error.name} ${error.message}`.replaceAll("\n", " ")}`);
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed ? 1 : 0;
