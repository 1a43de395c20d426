import { Platform } from '../../opencti/platform.ts'

/** Number of pings and failed pings. */
export interface PingCounts {
  readonly total: number
  readonly errors: number
}

/** A {@link Platform} that counts pings, like pycti. */
export class CountedPlatform extends Platform {
  #total = 0
  #errors = 0

  get pings(): PingCounts {
    return { total: this.#total, errors: this.#errors }
  }

  override async ping(...parameters: Parameters<Platform['ping']>): ReturnType<Platform['ping']> {
    this.#total++
    try {
      return await super.ping(...parameters)
    } catch (error) {
      this.#errors++
      throw error
    }
  }
}
