/**
 * Collects the microphone's samples into chunks of 16-bit numbers, in the thread of sound, which no hidden page slows.
 *
 * In: `"flush"` (give what there is, then `null`). Out: `Int16Array` with at most `seconds` of sound.
 */
class Chunks extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate, seconds } }) {
    super();
    this.step = sampleRate / rate;
    this.chunk = new Int16Array(Math.round(rate * seconds));
    this.filled = 0;
    // Where the next sample lies: between the last one of the block before (at -1) and the end of this one.
    this.position = 0;
    this.last = 0;
    this.port.onmessage = () => {
      this.#give();
      this.port.postMessage(null);
    };
  }

  process([input]) {
    const block = input[0];
    if (!block) return true;
    while (this.position <= block.length - 1) {
      const index = Math.floor(this.position);
      const before = index < 0 ? this.last : block[index];
      const after = block[index + 1] ?? before;
      this.#add(before + (after - before) * (this.position - index));
      this.position += this.step;
    }
    this.position -= block.length;
    this.last = block[block.length - 1];
    return true;
  }

  #add(sample) {
    this.chunk[this.filled] = Math.max(-1, Math.min(1, sample)) * 32767;
    this.filled += 1;
    if (this.filled === this.chunk.length) this.#give();
  }

  #give() {
    if (!this.filled) return;
    const samples = this.chunk.slice(0, this.filled);
    this.filled = 0;
    this.port.postMessage(samples, [samples.buffer]);
  }
}

registerProcessor("chunks", Chunks);
