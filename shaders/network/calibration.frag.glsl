// Multiply-adds only, on four independent vec4 accumulators, to measure the peak rate of a fragment shader.
//   STEPS: iterations of 64 multiply-adds.
uniform vec4 u_factor;
uniform vec4 u_term;

out vec4 o_color;

void main() {
    vec4 a = u_term * gl_FragCoord.x, b = u_term * gl_FragCoord.y, c = a + 1.0, d = b + 1.0;
    for (int i = 0; i < STEPS; ++i) {
        a = a * u_factor + u_term, b = b * u_factor + u_term, c = c * u_factor + u_term, d = d * u_factor + u_term;
        a = a * u_factor + u_term, b = b * u_factor + u_term, c = c * u_factor + u_term, d = d * u_factor + u_term;
        a = a * u_factor + u_term, b = b * u_factor + u_term, c = c * u_factor + u_term, d = d * u_factor + u_term;
        a = a * u_factor + u_term, b = b * u_factor + u_term, c = c * u_factor + u_term, d = d * u_factor + u_term;
    }
    o_color = a + b + c + d;
}
