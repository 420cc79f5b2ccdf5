import { type Api, type CallOptions, path, type WriteOptions } from "./api.ts";
import type {
  CreatedWebhookView,
  DeliveryAttemptView,
  TestView,
  WebhookChange,
  WebhookList,
  WebhookRequest,
  WebhookView,
} from "./schema.ts";

/** The caller's webhooks. Calls throw Refused for what the API refuses, and Unavailable. */
export class Webhooks {
  constructor(private readonly api: Api) {}

  /** Has events delivered to a URL; `secret` is in this response only. */
  create(request: WebhookRequest, options: WriteOptions = {}): Promise<CreatedWebhookView> {
    return this.api.post("/v1/webhooks", request, options);
  }

  list(options: CallOptions = {}): Promise<WebhookList> {
    return this.api.get("/v1/webhooks", {}, options);
  }

  get(webhookId: string, options: CallOptions = {}): Promise<WebhookView> {
    return this.api.get(path`/v1/webhooks/${webhookId}`, {}, options);
  }

  /** Changes a webhook's URL, types, description or status. */
  change(webhookId: string, change: WebhookChange): Promise<WebhookView> {
    return this.api.patch(path`/v1/webhooks/${webhookId}`, change);
  }

  delete(webhookId: string): Promise<void> {
    return this.api.delete(path`/v1/webhooks/${webhookId}`);
  }

  /** Gives a webhook another secret; for 24 hours deliveries are signed by both. */
  rotateSecret(webhookId: string): Promise<CreatedWebhookView> {
    return this.api.post(path`/v1/webhooks/${webhookId}/secret`);
  }

  /** Has a test event delivered. */
  test(webhookId: string): Promise<TestView> {
    return this.api.post(path`/v1/webhooks/${webhookId}/test`);
  }

  /** Yields a webhook's attempts to deliver, newest first. */
  deliveries(webhookId: string, options: CallOptions = {}): AsyncGenerator<DeliveryAttemptView, void, undefined> {
    return this.api.pages(path`/v1/webhooks/${webhookId}/deliveries`, {}, options);
  }

  /** Has the events after a position delivered again; null: all that are kept. */
  replay(webhookId: string, after: string | null = null): Promise<WebhookView> {
    return this.api.post(path`/v1/webhooks/${webhookId}/replay`, { after });
  }
}
