/**
 * Calls of the interface, and the tokens they need.
 * @module
 */
import { text } from "./dom.js";

const BASE = "/api/v1/";
// The access token opens everything and stays in memory only. The refresh token must outlive a reload, or each reload
// during an exam would ask for the password; sessionStorage keeps it for this tab alone and forgets it with the tab.
const KEPT = "proctoring.refresh";
const EARLY_S = 60;
const AGAIN_MS = 15_000;
const TIMEOUT_MS = 30_000;

/** A call that was refused, or got no answer (`status` 0). */
export class ApiError extends Error {
  /** @param {number} status @param {{code?: string, detail?: string, fields?: Record<string, string[]>}} body */
  constructor(status, body) {
    super(body.code ?? String(status));
    this.status = status;
    this.code = body.code ?? "";
    this.detail = body.detail || text("failed");
    this.fields = body.fields ?? {};
  }
}

/** The interface, for whoever is signed in. Tells `signedout` when the tokens are no longer good. */
export class Api extends EventTarget {
  access = "";
  expiresAt = 0;
  #refreshing = null;
  #timer = 0;

  /** @param {string} path below `/api/v1/` */
  get(path) {
    return this.call("GET", path);
  }

  /** @param {string} path @param {object} [body] */
  post(path, body = {}) {
    return this.call("POST", path, body);
  }

  /**
   * Return a file; raises `ApiError`.
   * @param {string} path below `/api/v1/`
   * @returns {Promise<Blob>}
   */
  file(path) {
    return this.call("GET", path, undefined, (answer) => answer.blob());
  }

  /**
   * Call and return the answer's JSON; raises `ApiError`.
   * @param {string} method @param {string} path @param {object} [body]
   * @param {(answer: Response) => Promise<any>} [read] how to read what is answered, if not as JSON
   */
  async call(method, path, body, read = undefined) {
    const token = await this.token();
    try {
      return await this.#fetch(method, path, body, token, read);
    } catch (error) {
      if (error.status !== 401) throw error;
      await this.refresh(token);
      return this.#fetch(method, path, body, this.access, read);
    }
  }

  /** Call without signing in. @param {string} path @param {object} body */
  open(path, body) {
    return this.#fetch("POST", path, body, "");
  }

  /**
   * Return a token that lives for a while.
   * @param {string} [refused] one that the server did not take, whatever this machine's clock says of it
   * @returns {Promise<string>}
   */
  async token(refused = "") {
    if (!this.access || Date.now() > this.expiresAt - 5000) await this.refresh(this.access);
    else if (refused) await this.refresh(refused);
    return this.access;
  }

  /** Keep what a sign-in answered. @param {{access: string, refresh: string, expires_in: number}} tokens */
  keep(tokens) {
    this.access = tokens.access;
    this.expiresAt = Date.now() + tokens.expires_in * 1000;
    sessionStorage.setItem(KEPT, tokens.refresh);
    // A quarter of its life early, where tokens live for a few minutes only.
    this.#later((tokens.expires_in - Math.min(EARLY_S, tokens.expires_in / 4)) * 1000);
  }

  /** Say whether there is something to sign in with after a reload. */
  get mayReturn() {
    return sessionStorage.getItem(KEPT) !== null;
  }

  /** The server takes these tokens no longer: have somebody sign in. */
  giveUp() {
    this.#signedOut(sessionStorage.getItem(KEPT));
  }

  /** Forget the tokens here and at the server. */
  async signOut() {
    const refresh = sessionStorage.getItem(KEPT);
    this.#forget();
    if (refresh) await this.open("auth/logout", { refresh }).catch(() => {});
  }

  /**
   * Exchange the refresh token, once for all who ask at the same time.
   * @param {string} [stale] the access token that is no longer good; another one than that is good enough
   */
  async refresh(stale = this.access) {
    if (this.access && this.access !== stale) return;
    this.#refreshing ??= this.#exchange().finally(() => (this.#refreshing = null));
    await this.#refreshing;
  }

  async #exchange() {
    const refresh = sessionStorage.getItem(KEPT);
    try {
      if (!refresh) throw new ApiError(401, { code: "not_authenticated", detail: text("signed_out") });
      this.keep(await this.open("auth/refresh", { refresh }));
    } catch (error) {
      // After an answer that got lost the token is used up, as it is after a sign-out: only a sign-in helps.
      if (error.status === 401) this.#signedOut(refresh);
      else this.#later(AGAIN_MS);
      throw error;
    }
  }

  /** Tell it once: whoever signs in at the moment must not be disturbed by calls that go on being refused. */
  #signedOut(refresh) {
    if (refresh === null || refresh !== sessionStorage.getItem(KEPT)) return;
    this.#forget();
    this.dispatchEvent(new Event("signedout"));
  }

  #forget() {
    this.access = "";
    this.expiresAt = 0;
    clearTimeout(this.#timer);
    sessionStorage.removeItem(KEPT);
  }

  #later(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh().catch(() => {}), ms);
  }

  async #fetch(method, path, body, token, read) {
    // Not the cookies: somebody may be signed in to the console in the same browser.
    const options = { method, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
    options.headers = { "Accept-Language": document.documentElement.lang };
    if (token) options.headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) {
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    let answer;
    try {
      answer = await fetch(BASE + path, options);
    } catch {
      throw new ApiError(0, { code: "offline", detail: text("offline") });
    }
    if (answer.ok && read) return read(answer);
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new ApiError(answer.status, told);
    return told;
  }
}
