// Nothing but multiply-adds, on four accumulators of four channels that do not wait for each other.
//   STEPS: how often 64 multiply-adds are done.
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
