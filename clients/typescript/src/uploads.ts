import { causeOf } from "./access.ts";
import { type Api, type CallOptions, path } from "./api.ts";
import { Unavailable } from "./errors.ts";
import type { UploadRequest, UploadView } from "./schema.ts";

/** The caller's uploaded files. Calls throw Refused for what the API refuses, and Unavailable. */
export class Uploads {
  constructor(private readonly api: Api) {}

  /**
   * Uploads a file, and returns it complete: metadata names it as `upload:ID`.
   *
   * `contentType` is the file's own type if absent. It is held against the bytes when the upload completes.
   */
  async create(file: Blob, contentType: string = file.type): Promise<UploadView> {
    const bytes = await file.arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const announced: UploadRequest = {
      // Which types there are is for the API to say.
      content_type: contentType as UploadRequest["content_type"],
      size: bytes.byteLength,
      sha256: `0x${hexOf(digest)}`,
    };
    const created = await this.api.post<UploadView>("/v1/uploads", announced);
    if (created.put) await this.put(created.put, bytes);
    return this.api.post(path`/v1/uploads/${created.upload_id}/complete`);
  }

  get(uploadId: string, options: CallOptions = {}): Promise<UploadView> {
    return this.api.get(path`/v1/uploads/${uploadId}`, {}, options);
  }

  private async put(target: NonNullable<UploadView["put"]>, body: ArrayBuffer): Promise<void> {
    let response: Response;
    try {
      const signal = AbortSignal.timeout(this.api.timeout * 1000);
      response = await this.api.fetch(target.url, { method: "PUT", headers: target.headers, body, signal });
    } catch (error) {
      throw new Unavailable(`the file was not stored: ${causeOf(error)}`);
    }
    if (response.status !== 200) throw new Unavailable(`the file was not stored: storage answered ${response.status}`);
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
