import { inspect } from 'node:util'
import { z } from 'zod'
import { redacted } from './redactor.ts'

/**
 * A secret setting. Printed in any way (as text, as JSON, with `console.log`, in a log) it shows
 * `[redacted]`; only {@link Secret.reveal} returns it.
 *
 * @example
 * ```ts
 * import { Secret } from 'opencti-stream-connector'
 *
 * const apiKey = new Secret('s3cr3t')
 * console.log(`the key is ${apiKey}`) // the key is [redacted]
 * const headers = { authorization: `Bearer ${apiKey.reveal()}` }
 * ```
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The secret itself. Pass it to the one call that needs it, and do not store it. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return redacted
  }

  toJSON(): string {
    return redacted
  }

  [Symbol.toPrimitive](): string {
    return redacted
  }

  [inspect.custom](): string {
    return redacted
  }
}

/** Schema type of {@link secret}: parses text to a {@link Secret}. */
export type SecretSchema = z.ZodPipe<z.ZodString, z.ZodTransform<Secret, string>>

/**
 * Schema of a secret setting: text in, {@link Secret} out. Can be made `.optional()`, or be part of an object
 * or list. Its values are redacted from every log line.
 *
 * @example
 * ```ts
 * import { defineSettings, secret, z } from 'opencti-stream-connector'
 *
 * const settings = defineSettings({
 *   my_siem: z.object({ api_key: secret().describe('Key of the API'), proxy_password: secret().optional() }),
 * })
 * ```
 */
export function secret(): SecretSchema {
  return z.string().transform(toSecret)
}

/**
 * Whether `schema` was made by {@link secret}. Recognized by its transform, which survives `.describe()`,
 * `.meta()`, and `.refine()`; a mark on the schema would be lost, because each of them copies it.
 * @internal
 */
export function isSecretSchema(schema: z.core.$ZodType): boolean {
  const { def } = (schema as z.core.$ZodTypes)._zod
  if (def.type !== 'pipe') return false
  const out = (def.out as z.core.$ZodTypes)._zod.def
  if (out.type === 'transform') return out.transform === (toSecret as unknown)
  return isSecretSchema(def.in) || isSecretSchema(def.out)
}

function toSecret(value: string): Secret {
  return new Secret(value)
}
