import ky, { type KyInstance } from 'ky'
import { type GenericDocument, type Secret } from 'opencti-stream-connector'

/** What the SIEM keeps of an entity. */
export interface SiemEntry extends GenericDocument {
  /** OpenCTI's own id of the entity, which survives renames. */
  readonly opencti_id: string
  readonly pattern?: string | null
  readonly confidence?: number
  readonly tlp?: string
  readonly labels?: readonly string[]
}

/** How long the SIEM may take for an answer, in milliseconds. */
const timeoutMs = 10_000

/**
 * The SIEM's API, call by call. It never retries and catches nothing: the connector's base class reads the errors of
 * ky and decides.
 */
export class SiemClient {
  readonly #http: KyInstance

  constructor(settings: { readonly api_base_url: string; readonly api_key: Secret }) {
    this.#http = ky.create({
      prefix: settings.api_base_url,
      headers: { authorization: `Bearer ${settings.api_key.reveal()}` },
      timeout: timeoutMs,
      retry: 0,
    })
  }

  /** @throws when the SIEM is not there or refuses the key. */
  async check(signal: AbortSignal): Promise<void> {
    await this.#http.get('health', { signal })
  }

  /** The SIEM's id of an entity, undefined when it has none. */
  async find(openctiId: string, signal: AbortSignal): Promise<string | undefined> {
    const searchParams = { opencti_id: openctiId }
    const [entry] = await this.#http.get('indicators', { searchParams, signal }).json<{ id: string }[]>()
    return entry?.id
  }

  /** @returns the SIEM's id of the new entry. */
  async create(entry: SiemEntry, signal: AbortSignal): Promise<string> {
    const { id } = await this.#http.post('indicators', { json: entry, signal }).json<{ id: string }>()
    return id
  }

  async update(id: string, entry: SiemEntry, signal: AbortSignal): Promise<void> {
    await this.#http.put(`indicators/${encodeURIComponent(id)}`, { json: entry, signal })
  }

  async delete(id: string, signal: AbortSignal): Promise<void> {
    await this.#http.delete(`indicators/${encodeURIComponent(id)}`, { signal })
  }
}
